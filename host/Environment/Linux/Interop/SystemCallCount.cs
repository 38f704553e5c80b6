namespace Spindle.Host.Environments.Linux.Interop;

/// <summary>Counts the system calls that move data or wait for it, for each thread, at the one boundary they all pass. System calls per I/O are what
/// a fast path is made of, and unlike its speed they do not depend on what else the machine does; a test holds them to a budget.
/// Costs an increment next to each call.</summary>
internal static class SystemCallCount
{
    [ThreadStatic]
    private static long t_count;

    /// <summary>Those of the calling thread since it began.</summary>
    internal static long OfThisThread => t_count;

    /// <summary>Counts one.</summary>
    [DataPath]
    internal static void Add() => t_count++;
}
