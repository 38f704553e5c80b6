using System.Globalization;
using System.Runtime.InteropServices;

namespace Spindle.Bench.Machine;

/// <summary>Keeps this process on some cores for a while, where it is itself the client of what it measures: a scheduler that sees the target's core idle
/// for a moment would move the client there.</summary>
public sealed partial class OwnCores : IDisposable
{
    private readonly ulong _before;

    private OwnCores(ulong before) => _before = before;

    /// <summary>Moves all threads of this process. Those made later follow, as does any process that they start.</summary>
    /// <param name="mask">Hexadecimal, bit N for core N.</param>
    public static OwnCores Pin(string mask)
    {
        ulong before = ~0ul;
        _ = sched_getaffinity(0, sizeof(ulong), ref before);
        Set(ulong.Parse(mask.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        return new OwnCores(before);
    }

    /// <summary>Goes back to the cores of before.</summary>
    public void Dispose() => Set(_before);

    private static void Set(ulong mask)
    {
        foreach (string task in Directory.EnumerateDirectories("/proc/self/task"))
            _ = sched_setaffinity(int.Parse(Path.GetFileName(task), CultureInfo.InvariantCulture), sizeof(ulong), ref mask);
    }

    [LibraryImport("libc")]
    private static partial int sched_setaffinity(int pid, nuint size, ref ulong mask);

    [LibraryImport("libc")]
    private static partial int sched_getaffinity(int pid, nuint size, ref ulong mask);
}
