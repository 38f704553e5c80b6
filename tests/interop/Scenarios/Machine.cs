using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>What the machine is busy with besides the test.</summary>
static class Machine
{
    /// <summary>
    /// A promise about time, as it can be checked here: itself on a machine that has a core to spare, and longer in proportion where more
    /// programs want to run than there are cores.
    /// </summary>
    /// <param name="promised">What is promised on a machine with nothing else to do.</param>
    public static TimeSpan Allow(TimeSpan promised) => promised * Math.Max(1, 2 * RunQueue() / Environment.ProcessorCount);

    /// <summary>
    /// Ends a host by a signal: status 0 in its time. A host that got no processor time for its own limit of 1.5 s says so and leaves with
    /// status 1; that is let pass only where so many programs want to run that it is the machine's doing.
    /// </summary>
    /// <returns>How long it took.</returns>
    public static async Task<TimeSpan> EndAsync(SpindleProcess spindle, PosixSignal signal = PosixSignal.SIGTERM)
    {
        var allowed = Allow(TimeSpan.FromSeconds(2));
        var clock = Stopwatch.StartNew();
        var status = await spindle.StopAsync(signal, TimeSpan.FromSeconds(60));
        var took = clock.Elapsed;
        var starved = status == 1 && allowed > TimeSpan.FromSeconds(8) && spindle.Output.Contains("did not end within");
        TestContext.Current.TestOutputHelper?.WriteLine($"{signal}: ended after {took.TotalSeconds:0.00} s{(starved ? ", starved of processor time" : "")}");
        if (!starved) Assert.Equal(0, status);
        Assert.InRange(took, TimeSpan.Zero, allowed);
        return took;
    }

    static double RunQueue() =>
        File.Exists("/proc/loadavg") ? double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture) : 0;
}
