using System.Globalization;
using Spindle.Host.Environments.Linux.Interop;

namespace Spindle.Host.Environments.Linux;

/// <summary>Processor cores: which ones there are for this process, and pinning a thread to one.</summary>
internal static unsafe class Cores
{
    /// <summary>Room for 8,192 cores, the kernel's largest NR_CPUS.</summary>
    private const int MaskBytes = 1024;

    /// <summary>The cores that the process's first thread may run on, ascending.</summary>
    internal static IReadOnlyList<int> Available()
    {
        var mask = stackalloc byte[MaskBytes];
        // Of the first thread and not of the caller, which may be pinned already.
        var bytes = Libc.sched_getaffinity(Environment.ProcessId, MaskBytes, mask);
        if (bytes < 0) return [.. Enumerable.Range(0, Environment.ProcessorCount)];
        var cores = new List<int>();
        for (var core = 0; core < MaskBytes * 8; core++)
        {
            if ((mask[core >> 3] & 1 << (core & 7)) != 0) cores.Add(core);
        }
        return cores;
    }

    /// <summary>Pins the calling thread.</summary>
    /// <returns>Null, or the reason why not.</returns>
    internal static string? PinCurrentThread(int core, IReadOnlyList<int> available)
    {
        if (!available.Contains(core)) return $"Core {core} is not among this process's cores ({Describe(available)}); choose from these with the core mask.";
        var mask = stackalloc byte[MaskBytes];
        new Span<byte>(mask, MaskBytes).Clear();
        mask[core >> 3] = (byte)(1 << (core & 7));
        if (Libc.sched_setaffinity(0, MaskBytes, mask) == 0) return null;
        return $"The kernel refused to pin a thread to core {core}: {Errno.Message(Libc.LastError)}. It runs unpinned.";
    }

    /// <summary>Moves the process's other threads (compiler, collector, thread pool) off the cores that reactors are pinned to, so that they do not take
    /// turns with a reactor for milliseconds at a time. Threads made later follow the first thread. Without a core left over nothing changes.</summary>
    internal static void KeepOtherThreadsOff(IReadOnlyList<int> reactorCores, IReadOnlyList<int> available)
    {
        var others = available.Except(reactorCores).ToArray();
        if (others.Length == 0) return;
        var mask = stackalloc byte[MaskBytes];
        new Span<byte>(mask, MaskBytes).Clear();
        foreach (var core in others) mask[core >> 3] |= (byte)(1 << (core & 7));
        var present = stackalloc byte[MaskBytes];
        foreach (var task in Directory.EnumerateDirectories("/proc/self/task"))
        {
            if (!int.TryParse(Path.GetFileName(task), NumberStyles.None, CultureInfo.InvariantCulture, out var id)) continue;
            new Span<byte>(present, MaskBytes).Clear();
            // Whoever is bound to one core is so by intention: a reactor.
            if (Libc.sched_getaffinity(id, MaskBytes, present) < 0 || CountBits(present) == 1) continue;
            _ = Libc.sched_setaffinity(id, MaskBytes, mask);
        }
    }

    private static int CountBits(byte* mask)
    {
        var count = 0;
        for (var i = 0; i < MaskBytes / sizeof(ulong); i++) count += System.Numerics.BitOperations.PopCount(((ulong*)mask)[i]);
        return count;
    }

    /// <summary>The processor time a container may use, when that is less than its cores: a sentence for the start-up log.</summary>
    internal static string? QuotaWarning(int cores)
    {
        try
        {
            // cgroup v2: "MAX PERIOD" in microseconds, MAX may be the word max.
            if (!File.Exists("/sys/fs/cgroup/cpu.max")) return null;
            var fields = File.ReadAllText("/sys/fs/cgroup/cpu.max").Split(' ', StringSplitOptions.TrimEntries);
            if (fields.Length != 2 || !double.TryParse(fields[0], CultureInfo.InvariantCulture, out var quota)
                || !double.TryParse(fields[1], CultureInfo.InvariantCulture, out var period) || period <= 0 || quota / period >= cores) return null;
            var share = (quota / period).ToString("0.##", CultureInfo.InvariantCulture);
            return $"This process sees {cores} cores but its cgroup may use the time of {share}: reactors will be throttled. Use fewer cores, or raise cpu.max.";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string Describe(IReadOnlyList<int> cores) => cores.Count <= 16 ? string.Join(", ", cores) : $"{cores[0]} … {cores[^1]}, {cores.Count} of them";
}
