using System.Globalization;

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

    static double RunQueue() =>
        File.Exists("/proc/loadavg") ? double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture) : 0;
}
