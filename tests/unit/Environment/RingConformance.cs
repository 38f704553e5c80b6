using Spindle.Host.Environments;

namespace Spindle.UnitTests.Environment;

/// <summary>What every ring does, whatever it is built on. The parts are in RingConformance.*.cs.</summary>
public abstract partial class RingConformance : IDisposable
{
    private readonly RingFixture _f;

    protected RingConformance(HostEnvironmentOptions options)
    {
        if (SkipReason(options) is { } reason) Assert.Skip(reason);
        _f = new RingFixture(options);
    }

    /// <summary>Its steady state allocates nothing.</summary>
    protected virtual bool AllocatesNothing => true;

    public void Dispose()
    {
        _f.Dispose();
        GC.SuppressFinalize(this);
    }

    private static string? SkipReason(HostEnvironmentOptions options)
    {
        if (options.Portable) return null;
        if (!OperatingSystem.IsLinux()) return "needs Linux";
        try
        {
            HostEnvironment.Create(options).Dispose();
            return null;
        }
        catch (SpindleException exception) when (options.Ring == "io_uring")
        {
            return exception.Message;
        }
    }
}

public sealed class IoUringRingTests() : RingConformance(new HostEnvironmentOptions(Ring: "io_uring"));

public sealed class EpollRingTests() : RingConformance(new HostEnvironmentOptions(Ring: "epoll"));

public sealed class PortableRingTests() : RingConformance(new HostEnvironmentOptions(Portable: true))
{
    protected override bool AllocatesNothing => false;
}
