using System.Text.Json;
using Spindle.Host.Hosting;

namespace Spindle.NvmfTests.EndToEnd;

/// <summary>Logical volumes as hosts see them.</summary>
public sealed class VolumeTests
{
    [Fact]
    [Trait("Category", "Slow")]
    public async Task A_thin_volume_is_written_over_tcp_while_snapshots_are_made_of_it()
    {
        await using var host = await SpindleHost.StartAsync(new SpindleHostOptions
        {
            ModuleFolders = [AllocationTests.Modules],
            Modules = [new("bdev-malloc"), new("bdev-lvol"), new("frontend-nvmf"), new("tool-nvmeperf")],
        });
        await host.CallAsync("bdev_malloc_create", """{ "name": "M0", "num_blocks": 262144, "block_size": 512 }""");
        await host.CallAsync("bdev_lvol_create_lvstore", """{ "bdev_name": "M0", "lvs_name": "vg", "cluster_sz": 65536 }""");
        await host.CallAsync("bdev_lvol_create", """{ "lvs_name": "vg", "lvol_name": "v", "size_in_mib": 16, "thin_provision": true }""");
        await host.CallAsync("nvmf_create_transport", """{ "trtype": "TCP" }""");
        await host.CallAsync("nvmf_create_subsystem", """{ "nqn": "nqn.2026-11.io.spindle:a", "allow_any_host": true }""");
        await host.CallAsync("nvmf_subsystem_add_ns", """{ "nqn": "nqn.2026-11.io.spindle:a", "namespace": { "bdev_name": "vg/v" } }""");
        int port = AllocationTests.FreePort();
        await host.CallAsync("nvmf_subsystem_add_listener",
            $$"""{ "nqn": "nqn.2026-11.io.spindle:a", "listen_address": { "trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1", "trsvcid": "{{port}}" } }""");
        var measured = AllocationTests.MeasureAsync(host, "randwrite", "4K", port, 1);
        for (int i = 0; i < 3; i++)
        {
            await Task.Delay(200, TestContext.Current.CancellationToken);
            await host.CallAsync("bdev_lvol_snapshot", $$"""{ "lvol_name": "vg/v", "snapshot_name": "s{{i}}" }""");
        }
        Assert.True((await measured).Count > 0);
        var lvols = JsonDocument.Parse(await host.CallAsync("bdev_lvol_get_lvols")).RootElement;
        Assert.Equal(4, lvols.GetArrayLength());
        Assert.True(lvols[0].GetProperty("num_allocated_clusters").GetInt32() > 0);
        await host.CallAsync("bdev_lvol_delete_lvstore", """{ "lvs_name": "vg" }""");
    }
}
