using System.Diagnostics;
using System.Text.Json.Nodes;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Raid;

/// <summary>
/// What was made here, assembled by SPDK itself, and what SPDK leaves, assembled here again. It runs only when asked for, with the folder of a built SPDK checkout (tag v26.01) in <c>SPINDLE_PEER_SPDK</c>.
/// </summary>
[Trait("Category", "Slow")]
public sealed class RaidPeerTests(ContractHost host, ITestOutputHelper output) : RaidTest(host)
{
    [Theory(Explicit = true)]
    [InlineData("raid0", 3, 16, "whole")]
    [InlineData("concat", 2, 4, "whole")]
    [InlineData("raid1", 2, 0, "whole")]
    [InlineData("raid1", 3, 0, "degraded")]
    [InlineData("raid1", 2, 0, "being rebuilt")]
    public async Task Every_byte_is_read_by_SPDK(string level, int members, int stripKib, string state)
    {
        string? spdk = Environment.GetEnvironmentVariable("SPINDLE_PEER_SPDK");
        if (string.IsNullOrEmpty(spdk)) Assert.Fail("Set SPINDLE_PEER_SPDK to the folder of a built SPDK checkout (git clone -b v26.01 https://github.com/spdk/spdk).");
        var random = new Random(7);
        var disks = await DisksAsync(members, 8192);
        string name = await ArrayAsync(level, disks, stripKib: stripKib);
        ulong blocks = Host.Registry.Find(name)!.BlockCount;
        await WriteAsync(name, 0, RandomBytes(random, blocks * Block));
        if (state != "whole") await RemoveAsync(disks[0]);
        byte[] expected = RandomBytes(random, blocks * Block);
        await WriteAsync(name, 0, expected);
        if (state == "being rebuilt")
        {
            await CallAsync("bdev_raid_set_options", """{"process_window_size_kb":64,"process_max_bandwidth_mb_sec":4}""");
            await AddAsync(name, disks[0]);
            await CallAsync("bdev_raid_set_options", """{"process_window_size_kb":1024,"process_max_bandwidth_mb_sec":0}""");
            await UntilAsync(async () => ((ulong?)(await InfoAsync(name))!["process"]?["progress"]?["blocks"] ?? 0) >= 1024, "a part is rebuilt");
        }
        await Host.UnregisterAsync(name);
        string folder = Directory.CreateTempSubdirectory("spindle-peer-").FullName;
        try
        {
            var calls = new JsonArray();
            for (int i = 0; i < members; i++)
            {
                string file = Path.Combine(folder, $"member{i}");
                await File.WriteAllBytesAsync(file, await RawAsync(disks[i], 0), Cancel);
                calls.Add(new JsonObject
                {
                    ["method"] = "bdev_aio_create",
                    ["params"] = new JsonObject { ["filename"] = file, ["name"] = $"aio{i}", ["block_size"] = Block, ["uuid"] = disks[i].Uuid.ToString("D") },
                });
            }
            calls.Add(new JsonObject { ["method"] = "bdev_wait_for_examine" });
            var configuration = new JsonObject { ["subsystems"] = new JsonArray(new JsonObject { ["subsystem"] = "bdev", ["config"] = calls }) };
            string config = Path.Combine(folder, "config"), read = Path.Combine(folder, "read"), written = Path.Combine(folder, "written");
            await File.WriteAllTextAsync(config, configuration.ToJsonString(), Cancel);
            await RunAsync(spdk, $"--json={config} --ib={name} --of={read} --bs=4096");
            byte[] seen = await File.ReadAllBytesAsync(read, Cancel);
            Assert.True(expected.AsSpan().SequenceEqual(seen), "SPDK reads something else");
            // What it writes is read here.
            byte[] later = RandomBytes(random, blocks * Block / 2 / 4096 * 4096);
            await File.WriteAllBytesAsync(written, later, Cancel);
            await RunAsync(spdk, $"--json={config} --if={written} --ob={name} --bs=4096");
            later.CopyTo(expected, 0);
            foreach (var disk in disks) await VanishAsync(disk);
            foreach (int i in Enumerable.Range(0, members).Reverse()) await AppearAsync(await FilledAsync(await File.ReadAllBytesAsync(Path.Combine(folder, $"member{i}"), Cancel), disks[i].Uuid));
            await UntilAsync(async () => await StateAsync(name) == "online", "the array");
            Assert.Equal(expected, await ReadAllAsync(name));
            await WholeAsync(name);
            Assert.Equal(expected, await ReadAllAsync(name));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task RunAsync(string spdk, string arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(spdk, "build/bin/spdk_dd"), $"--no-huge -s 1024 -m 0x1 --no-pci {arguments}") { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var texts = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(Cancel), process.StandardError.ReadToEndAsync(Cancel));
        await process.WaitForExitAsync(Cancel);
        if (process.ExitCode != 0) output.WriteLine(string.Concat(texts));
        Assert.Equal(0, process.ExitCode);
    }
}
