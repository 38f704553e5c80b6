namespace Spindle.InteropTests.Guest;

/// <summary>How a guest is started.</summary>
public sealed record GuestOptions
{
    /// <summary>Memory in MiB.</summary>
    public int MemoryMb { get; init; } = 1024;

    /// <summary>Virtual CPUs. NVMe hosts open as many I/O queues as there are CPUs at most.</summary>
    public int Cpus { get; init; } = 2;

    /// <summary>Kernel modules loaded at start, in this order.</summary>
    public IReadOnlyList<string> Modules { get; init; } = [];

    /// <summary>TCP ports of the guest seen on the host's 127.0.0.1: (host's, guest's).</summary>
    public IReadOnlyList<(int Host, int Guest)> Forward { get; init; } = [];

    /// <summary>More kernel arguments.</summary>
    public IReadOnlyList<string> KernelArguments { get; init; } = [];

    /// <summary>More arguments for QEMU.</summary>
    public IReadOnlyList<string> QemuArguments { get; init; } = [];

    /// <summary>Guest memory that a vhost-user backend can map.</summary>
    public bool SharedMemory { get; init; }

    /// <summary>The time in which the guest has to be up. It takes about 5 s on an idle machine.</summary>
    public TimeSpan BootTimeout { get; init; } = TimeSpan.FromMinutes(2);
}
