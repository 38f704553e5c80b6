using System.Diagnostics;
using Spindle.Nvme.Features;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Keep Alive (NVMe Base Specification 2.0, section 3.9).</summary>
public class KeepAliveTests(SharedTarget shared) : ProtocolTest(shared)
{
    [Fact]
    public async Task Keep_alive_succeeds_and_its_timeout_is_a_feature()
    {
        await using NvmeTcpController controller = await ConnectAsync(new HostOptions { Kato = 15_000 });
        Assert.NotEqual(0, controller.Identify.Kas);
        await controller.KeepAliveAsync();
        uint kato = await controller.GetFeatureAsync(FeatureIdentifier.KeepAliveTimer);
        Assert.InRange(kato, 15_000u, 30_000u);
    }

    [Fact]
    [Trait("Category", "Slow")]
    public async Task Silent_host_loses_its_association_and_a_talking_one_does_not()
    {
        // Targets may raise short timeouts; what counts is what the feature says.
        await using NvmeTcpController silent = await ConnectAsync(new HostOptions { Kato = 1000 });
        await using NvmeTcpController talking = await ConnectAsync(new HostOptions { Kato = 1000 });
        await using NvmeTcpController none = await ConnectAsync(new HostOptions { Kato = 0 });
        uint kato = await silent.GetFeatureAsync(FeatureIdentifier.KeepAliveTimer);
        Stopwatch clock = Stopwatch.StartNew();
        Task ended = Task.WhenAll(silent.Admin.Closed, silent.Io.Closed);
        while (!ended.IsCompleted && clock.ElapsedMilliseconds < 3L * kato + 5000)
        {
            await Task.WhenAny(ended, Task.Delay(500));
            await talking.KeepAliveAsync();
        }
        Assert.True(ended.IsCompleted, $"still there after {clock.Elapsed}; KATO is {kato} ms");
        Assert.True(clock.ElapsedMilliseconds > kato * 0.9, $"gone after {clock.Elapsed}; KATO is {kato} ms");
        await new NamespaceIo(talking.Io, 1, 512).ReadAsync(0, 1);
        await new NamespaceIo(none.Io, 1, 512).ReadAsync(0, 1);
    }
}
