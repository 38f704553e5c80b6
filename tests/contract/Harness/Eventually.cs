using System.Diagnostics;

namespace Spindle.ContractTests.Harness;

/// <summary>Waits for what another thread brings about.</summary>
public static class Eventually
{
    public static async Task IsTrueAsync(Func<bool> condition, string what, double seconds = 20)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(seconds), $"still waiting for {what}");
            await Task.Delay(2);
        }
    }
}
