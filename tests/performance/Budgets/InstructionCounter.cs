using System.Runtime.InteropServices;

namespace Spindle.PerformanceTests.Budgets;

/// <summary>Instructions in user mode of the thread that opened it (perf_event_open(2)). Virtual machines often have no such counter.</summary>
internal sealed unsafe partial class InstructionCounter : IDisposable
{
    private const int NR_perf_event_open_x64 = 298, NR_perf_event_open_arm64 = 241;
    private const uint PERF_TYPE_HARDWARE = 0;
    private const ulong PERF_COUNT_HW_INSTRUCTIONS = 1, ExcludeKernelAndHypervisor = 1 << 5 | 1 << 6;
    private const int AttributeSize = 64;
    private readonly int _fd;

    private InstructionCounter(int fd) => _fd = fd;

    /// <summary>Opens one for the calling thread.</summary>
    /// <param name="reason">Why there is none.</param>
    public static InstructionCounter? TryOpen(out string reason)
    {
        var attribute = stackalloc byte[AttributeSize];
        new Span<byte>(attribute, AttributeSize).Clear();
        *(uint*)attribute = PERF_TYPE_HARDWARE;
        *(uint*)(attribute + 4) = AttributeSize;
        *(ulong*)(attribute + 8) = PERF_COUNT_HW_INSTRUCTIONS;
        *(ulong*)(attribute + 40) = ExcludeKernelAndHypervisor;
        nint number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? NR_perf_event_open_arm64 : NR_perf_event_open_x64;
        int fd = (int)syscall(number, (nint)attribute, 0, -1, -1, 0);
        reason = fd >= 0 ? "" : $"this machine counts no instructions (perf_event_open: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())})";
        return fd >= 0 ? new InstructionCounter(fd) : null;
    }

    /// <summary>Counted until now.</summary>
    public long Read()
    {
        long value = 0;
        return read(_fd, &value, sizeof(long)) == sizeof(long) ? value : 0;
    }

    public void Dispose() => _ = close(_fd);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint a, nint b, nint c, nint d, nint e);

    [LibraryImport("libc")]
    private static partial nint read(int fd, void* buffer, nuint count);

    [LibraryImport("libc")]
    private static partial int close(int fd);
}
