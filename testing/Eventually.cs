using System.Diagnostics;

namespace Spindle.Testing;

/// <summary>Waits for what another thread brings about.</summary>
public static class Eventually
{
    /// <summary>Returns when the condition holds.</summary>
    /// <param name="condition">Asked every 2 ms.</param>
    /// <param name="what">For the message.</param>
    /// <param name="seconds">How long to wait.</param>
    /// <exception cref="ConformanceException">It did not come about.</exception>
    public static async Task IsTrueAsync(Func<bool> condition, string what, double seconds = 20)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Check.That(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(seconds), $"after {seconds} s still waiting for {what}");
            await Task.Delay(2).ConfigureAwait(false);
        }
    }
}
