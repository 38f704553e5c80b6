using System.Diagnostics;

namespace Spindle.ContractTests.Harness;

/// <summary>Waits for what another thread brings about.</summary>
public static class Eventually
{
    public static async Task IsTrueAsync(Func<bool> condition, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(20), $"still waiting for {what}");
            await Task.Delay(2);
        }
    }
}
