using Spindle.Host.Environments;
using Spindle.Host.Environments.Linux;

namespace Spindle.UnitTests.Environment;

/// <remarks>In one collection with the test that reserves huge pages, which changes what the machine has.</remarks>
[Collection("huge pages")]
public sealed class HostEnvironmentTests
{
    [Fact]
    public void PortableSaysThatItIsAndWhatItLacks()
    {
        using var environment = HostEnvironment.Create(new HostEnvironmentOptions(Portable: true));
        Assert.Equal("portable", environment.Name);
        Assert.Equal("portable", environment.Io.Name);
        Assert.NotEmpty(environment.Fallbacks);
        Assert.Equal(System.Environment.ProcessorCount, environment.AvailableCores.Count);
        Assert.NotNull(environment.PinCurrentThread(0));
        using var ring = environment.CreateRing();
        Assert.Equal("portable", ring.Kind);
    }

    [Theory]
    [InlineData("epoll", "epoll")]
    [InlineData("io_uring", "io_uring")]
    public void RingIsTheOneAskedFor(string asked, string kind)
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("needs Linux");
        if (asked == "io_uring" && Spindle.Host.Environments.Linux.IoUring.IoUringRing.Probe() != 0) Assert.Skip("the kernel refuses io_uring");
        using var environment = HostEnvironment.Create(new HostEnvironmentOptions(Ring: asked));
        using var ring = environment.CreateRing();
        Assert.Equal(kind, ring.Kind);
        Assert.Equal("linux", environment.Name);
    }

    [Fact]
    public void UnknownRingIsRefusedByName()
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("needs Linux");
        var error = Assert.Throws<SpindleException>(() => HostEnvironment.Create(new HostEnvironmentOptions(Ring: "kqueue")));
        Assert.Equal(Errno.EINVAL, error.Errno);
        Assert.Contains("kqueue", error.Message);
    }

    [Theory]
    [InlineData(Errno.EPERM, 2, false, "io_uring_disabled=0")]
    [InlineData(Errno.EPERM, 1, true, "io_uring_group")]
    [InlineData(Errno.EPERM, 0, true, "seccomp")]
    [InlineData(Errno.ENOSYS, 0, true, "seccomp")]
    [InlineData(Errno.ENOSYS, 0, false, "5.11")]
    [InlineData(Errno.ENOMEM, 0, false, "ulimit -l")]
    [InlineData(Errno.EIO, 0, false, "Input/output error")]
    public void RefusalOfIoUringIsExplained(int error, int disabled, bool seccomp, string part) =>
        Assert.Contains(part, RingChoice.Explain(error, disabled, seccomp));

    [Fact]
    public void NoHugePagesIsSaidWithTheRemedy()
    {
        if (!OperatingSystem.IsLinux() || Host.Environments.Linux.Dma.HugePages.Read().Total > 0) Assert.Skip("huge pages are reserved");
        using var environment = HostEnvironment.Create(new HostEnvironmentOptions());
        Assert.Contains(environment.Fallbacks, s => s.Contains("vm.nr_hugepages"));
        using var without = HostEnvironment.Create(new HostEnvironmentOptions(UseHugePages: false));
        Assert.DoesNotContain(without.Fallbacks, s => s.Contains("vm.nr_hugepages"));
    }

    [Fact]
    public void ThreadIsPinnedToAnAvailableCoreOnly()
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("needs Linux");
        using var environment = HostEnvironment.Create(new HostEnvironmentOptions());
        Assert.Equal(environment.AvailableCores.Order(), environment.AvailableCores);
        Assert.NotEmpty(environment.AvailableCores);
        // On threads of their own: the pin stays with the thread.
        foreach (var core in environment.AvailableCores)
        {
            string? reason = "not run";
            var processor = -1;
            var thread = new Thread(() =>
            {
                reason = environment.PinCurrentThread(core);
                Thread.Yield();
                processor = Thread.GetCurrentProcessorId();
            });
            thread.Start();
            thread.Join();
            Assert.Null(reason);
            Assert.Equal(core, processor);
        }
        var refused = environment.PinCurrentThread(5000);
        Assert.NotNull(refused);
        Assert.Contains("5000", refused);
        Assert.NotNull(environment.PinCurrentThread(-1));
    }
}
