using Spindle.Host.Environments.Linux.Dma;
using Spindle.Host.Environments.Linux.Epoll;
using Spindle.Host.Environments.Linux.Io;
using Spindle.Host.Environments.Linux.IoUring;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.Host.Environments.Linux;

/// <summary>The machine, seen through Linux's own interfaces.</summary>
internal sealed class LinuxEnvironment : IHostEnvironment
{
    private readonly FallbackLog _fallbacks = new();
    private readonly LinuxDmaMemory _memory;
    private readonly bool _useIoUring;

    internal LinuxEnvironment(HostEnvironmentOptions options)
    {
        _useIoUring = RingChoice.UseIoUring(options.Ring, _fallbacks);
        AvailableCores = Cores.Available();
        if (Cores.QuotaWarning(AvailableCores.Count) is { } warning) _fallbacks.Add("cores", warning);
        if (options.UseHugePages && HugePages.Read() is not (> 0, > 0, 2048)) _fallbacks.Add("huge-pages", HugePages.Describe());
        _memory = new LinuxDmaMemory(options.UseHugePages, _fallbacks);
        Io = new LinuxIoPlatform(nonBlocking: !_useIoUring);
    }

    public string Name => "linux";

    public IReadOnlyList<int> AvailableCores { get; }

    public IIoPlatform Io { get; }

    public IDmaMemory Memory => _memory;

    public IReadOnlyList<string> Fallbacks => _fallbacks.Sentences;

    public string? PinCurrentThread(int core) => Cores.PinCurrentThread(core, AvailableCores);

    public void KeepOtherThreadsOff(IReadOnlyList<int> cores) => Cores.KeepOtherThreadsOff(cores, AvailableCores);

    public IReactorRing CreateRing() => _useIoUring ? IoUringRing.Create() : EpollRing.Create(_fallbacks);

    public void Dispose() => _memory.Dispose();
}
