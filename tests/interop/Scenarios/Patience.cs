namespace Spindle.InteropTests.Scenarios;

/// <summary>
/// Time limits of the scenarios. They are there to end a test that hangs, and are several times what an idle machine needs: emulation shares
/// its cores with whatever else runs.
/// </summary>
static class Patience
{
    /// <summary>One command: connect, mkfs, a small copy.</summary>
    public static readonly TimeSpan Step = TimeSpan.FromMinutes(2);

    /// <summary>A load: fio, a loop of writes with their checks.</summary>
    public static readonly TimeSpan Load = TimeSpan.FromMinutes(5);

    /// <summary>Asks again and again until the answer is yes.</summary>
    /// <param name="condition">The question.</param>
    /// <param name="what">What is awaited, for the failure's message.</param>
    /// <param name="ct">Gives up.</param>
    public static async Task UntilAsync(Func<Task<bool>> condition, string what, CancellationToken ct)
    {
        using var limit = new CancellationTokenSource(Step);
        while (!await condition())
        {
            if (limit.IsCancellationRequested) Assert.Fail($"waited {Step.TotalSeconds:0} s in vain: {what}");
            await Task.Delay(100, ct);
        }
    }
}
