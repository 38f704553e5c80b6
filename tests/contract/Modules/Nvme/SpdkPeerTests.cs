using Spindle.Bdev.Nvme;

namespace Spindle.ContractTests.Modules.Nvme;

/// <summary>The driver against SPDK's own target. Only when asked for: <see cref="SpdkTarget"/>.</summary>
[Trait("Category", "Slow")]
public sealed class SpdkPeerTests
{
    [Theory(Explicit = true)]
    [InlineData(512, false)]
    public async Task The_conformance_suite_passes(int blockSize, bool digests)
    {
        await using var target = new SpdkTarget();
        await target.StartAsync(8, blockSize);
        await using var host = await TestHost.StartAsync(new TestHostOptions { Cores = 1 });
        var nvme = await host.AddModuleAsync(new NvmeModule());
        string on = digests ? "true" : "false";
        string attach = $$"""{"name":"Peer","trtype":"TCP","traddr":"127.0.0.1","trsvcid":"{{target.Port}}","subnqn":"{{SpdkTarget.Nqn}}","hdgst":{{on}},"ddgst":{{on}}}""";
        Task DetachAsync() => nvme.CallAsync("bdev_nvme_detach_controller", """{"name":"Peer"}""");
        var failures = new List<string>();
        var subject = new Testing.BdevSubject("Peern1")
        {
            DeleteAsync = DetachAsync,
            RestartAsync = async () =>
            {
                await DetachAsync();
                await nvme.CallAsync("bdev_nvme_attach_controller", attach);
            },
        };
        async Task<Testing.BdevSubject> CreateAsync()
        {
            if (host.Registry.Find(subject.Name) is not null) return subject;
            if (await nvme.CallAsync("bdev_nvme_get_controllers") != "[]") await DetachAsync();
            await nvme.CallAsync("bdev_nvme_attach_controller", attach);
            return subject;
        }
        try
        {
            // SPDK's target tells a miscompare as an internal error (spdk_bdev_io_get_nvme_status has no case for it), so that the rules with wrong compares cannot pass.
            foreach (string rule in BdevConformance.RuleIds.Except(["types.compare", "model.random-io"]))
            {
                try
                {
                    if (await new BdevConformance(host, CreateAsync).RunAsync(rule) is { } skipped) TestContext.Current.TestOutputHelper?.WriteLine($"{rule}: {skipped}");
                }
                catch (ConformanceException e)
                {
                    failures.Add(e.Message);
                }
                if (!target.IsRunning) failures.Add($"{rule}: the target has ended: {target.Tail()}");
                if (!target.IsRunning) break;
            }
        }
        finally
        {
            await host.StopModulesAsync();
        }
        Assert.True(failures.Count == 0, string.Join(Environment.NewLine, failures));
    }
}
