using System.Text.Json.Nodes;
using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.Rpc;

namespace Spindle.ContractTests.Modules.Raid.Parity;

/// <summary>Scrubs, spares, and what the write-intent bitmap is for: after an unclean stop what was being written is brought in step, and nothing else is read.</summary>
public sealed class IntegrityTests(ContractHost host) : ParityArrayTest(host)
{
    private async Task<JsonNode> IntegrityAsync(string name) => JsonNode.Parse(await CallAsync("bdev_raid_get_integrity", $$"""{"name":"{{name}}"}"""))!;

    private async Task<JsonNode> ScrubAsync(string name, bool repair)
    {
        await CallAsync("bdev_raid_scrub_start", $$"""{"name":"{{name}}","repair":{{(repair ? "true" : "false")}}}""");
        JsonNode scrub = null!;
        for (int i = 0; i < 2000; i++)
        {
            scrub = (await IntegrityAsync(name))["scrub"]!;
            if ((string)scrub["state"]! is not ("running" or "waiting")) return scrub;
            await Task.Delay(5, Cancel);
        }
        Assert.Fail($"the scrub does not end: {scrub}");
        return scrub;
    }

    [Theory]
    [InlineData("raid5f", 4)]
    [InlineData("raid6", 5)]
    public async Task A_scrub_finds_what_has_changed_and_makes_it_again(string level, int members)
    {
        const int Stripes = 40;
        var disks = await DisksAsync(members, Stripes, superblock: false);
        string[] names = [.. disks.Select(disk => disk.Name)];
        string name = await ArrayAsync(level, names);
        await using (var client = await OpenAsync(name)) await client.WriteBytesAsync(0, RandomBytes(new Random(3), client.Bdev.BlockCount * Block));
        var clean = await ScrubAsync(name, repair: false);
        Assert.Equal(("finished", 0, Stripes * (members - (level == "raid6" ? 2 : 1)) * Strip), ((string)clean["state"]!, (int)clean["mismatched_blocks"]!, (int)clean["checked_blocks"]!));
        // A bit of P of stripe 0, and of another stripe's, in different blocks.
        disks[members - 1].Corrupt(5, 1);
        disks[members - 1 - 7 % members].Corrupt(7 * Strip * Block + 3 * Block, 0x80);
        Assert.Equal(2, (int)(await ScrubAsync(name, repair: false))["mismatched_blocks"]!);
        Assert.Equal(2, (await StripesOutOfStepAsync(level, names, Stripes, superblock: false)).Count);
        Assert.Equal(2, (int)(await ScrubAsync(name, repair: true))["mismatched_blocks"]!);
        Assert.Empty(await StripesOutOfStepAsync(level, names, Stripes, superblock: false));
        Assert.Equal(0, (int)(await ScrubAsync(name, repair: false))["mismatched_blocks"]!);
    }

    [Fact]
    public async Task A_scrub_is_refused_where_there_is_nothing_to_compare_and_can_be_ended()
    {
        var disks = await DisksAsync(3, 600, superblock: false);
        string name = await ArrayAsync("raid5f", disks.Select(disk => disk.Name));
        async Task<string> RefusedAsync(string method, string parameters) => (await Assert.ThrowsAsync<RpcException>(() => CallAsync(method, parameters))).Message;
        Assert.Contains("not found", await RefusedAsync("bdev_raid_scrub_start", """{"name":"nobody"}"""), StringComparison.Ordinal);
        Assert.Contains("No scrub", await RefusedAsync("bdev_raid_scrub_stop", $$"""{"name":"{{name}}"}"""), StringComparison.Ordinal);
        await CallAsync("bdev_raid_scrub_start", $$"""{"name":"{{name}}"}""");
        await CallAsync("bdev_raid_scrub_stop", $$"""{"name":"{{name}}"}""");
        JsonNode? scrub = null;
        for (int i = 0; i < 1000 && (string?)scrub?["state"] is not ("stopped" or "finished"); i++)
        {
            scrub = (await IntegrityAsync(name))["scrub"];
            await Task.Delay(5, Cancel);
        }
        Assert.Equal("stopped", (string)scrub!["state"]!);
        await CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{disks[1].Name}}"}""");
        Assert.Contains("lacks a member", await RefusedAsync("bdev_raid_scrub_start", $$"""{"name":"{{name}}","repair":true}"""), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("raid5f", 3)]
    [InlineData("raid6", 4)]
    public async Task A_spare_takes_the_place_of_a_member_that_fails(string level, int members)
    {
        const int Stripes = 60;
        var disks = await DisksAsync(members + 1, Stripes, superblock: true);
        string[] names = [.. disks.Select(disk => disk.Name)];
        string name = await ArrayAsync(level, names[..members], superblock: true);
        await CallAsync("bdev_raid_add_spare", $$"""{"raid_bdev":"{{name}}","base_bdev":"{{names[members]}}"}""");
        Assert.Equal(names[members], (string)(await IntegrityAsync(name))["spares"]![0]!);
        var client = await OpenAsync(name, closeWhenRemoved: true);
        byte[] data = RandomBytes(new Random(4), client.Bdev.BlockCount * Block);
        await client.WriteBytesAsync(0, data);
        disks[1].Intercept = static _ => BdevIoResult.Of(BdevIoStatus.Failed);
        await client.WriteBytesAsync(0, data);
        string now = "";
        // A member that is being rebuilt counts as operational, and is there a moment before its process.
        int quiet = 0;
        for (int i = 0; i < 2000 && quiet < 20; i++)
        {
            now = await CallAsync("bdev_raid_get_bdevs", """{"category":"online"}""");
            if ((int)JsonNode.Parse(now)!.AsArray().Single(array => (string)array!["name"]! == name)!["num_base_bdevs_operational"]! == members && now.Contains(names[members], StringComparison.Ordinal)
                && !now.Contains("\"process\"", StringComparison.Ordinal)) quiet++;
            else quiet = 0;
            await Task.Delay(5, Cancel);
        }
        string[] there = [.. names[..members]];
        there[1] = names[members];
        Assert.Empty((await IntegrityAsync(name))["spares"]!.AsArray());
        Assert.Empty(await StripesOutOfStepAsync(level, there, Stripes, superblock: true));
        Assert.Equal(data, await client.ReadBytesAsync(0, client.Bdev.BlockCount));
        // Another one may go now.
        await CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{names[0]}}"}""");
        Assert.Equal(data, await client.ReadBytesAsync(0, client.Bdev.BlockCount));
    }

    [Fact]
    public async Task After_an_unclean_stop_only_what_was_written_is_read_again()
    {
        // 32 MiB of data in regions of 1 MiB; the last is written, and there is no clean stop of these disks' images.
        const int Stripes = 4096;
        byte[][] contents = new byte[3][];
        var uuids = contents.Select(_ => Guid.NewGuid()).ToArray();
        var first = contents.Select((_, i) => new PowerCutDisk(ContractHost.NewName(ModuleHarness.Examined), Block, new byte[(1 << 20) + Stripes * Strip * (int)Block], false) { Uuid = uuids[i] }).ToArray();
        foreach (var disk in first)
        {
            Track(disk.Name);
            await Host.RegisterAsync(disk);
        }
        string name = await ArrayAsync("raid5f", first.Select(disk => disk.Name), superblock: true);
        await using (var client = await OpenAsync(name)) await client.WriteBytesAsync(client.Bdev.BlockCount - 2 * Strip, RandomBytes(new Random(5), 2 * Strip * Block));
        Assert.Equal((32, 1), ((int)(await IntegrityAsync(name))["write_intent"]!["regions"]!, (int)(await IntegrityAsync(name))["write_intent"]!["marked"]!));
        for (int i = 0; i < 3; i++) contents[i] = first[i].Cut(first[i].Moments, new Random(0));
        await CallAsync("bdev_raid_delete", $$"""{"name":"{{name}}"}""");
        foreach (var disk in first) await Host.UnregisterAsync(disk.Name);
        foreach (bool isClean in new[] { false, true })
        {
            long read = 0;
            var again = contents.Select((bytes, i) => new MemoryDisk(ContractHost.NewName(ModuleHarness.Examined), Block, (ulong)bytes.Length / Block) { Uuid = uuids[i] }).ToArray();
            for (int i = 0; i < 3; i++)
            {
                again[i].Restore(contents[i]);
                again[i].Intercept = io =>
                {
                    if (io.Type == BdevIoType.Read && io.OffsetBlocks >= 2048) Interlocked.Add(ref read, (long)io.NumBlocks);
                    return null;
                };
            }
            foreach (var disk in again)
            {
                Track(disk.Name);
                await Host.RegisterAsync(disk);
            }
            await Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());
            await Eventually.IsTrueAsync(() => Host.Registry.Find(name) is not null, "the array");
            JsonNode integrity = null!;
            for (int i = 0; i < 2000; i++)
            {
                integrity = await IntegrityAsync(name);
                if ((int)integrity["write_intent"]!["in_doubt"]! == 0 && !(await CallAsync("bdev_raid_get_bdevs", """{"category":"online"}""")).Contains("\"process\"", StringComparison.Ordinal)) break;
                await Task.Delay(5, Cancel);
            }
            Assert.Equal(0, (int)integrity["write_intent"]!["in_doubt"]!);
            Assert.Equal(isClean ? 0 : 3 * 1024, read);
            for (int i = 0; i < 3; i++) again[i].Intercept = null;
            await CallAsync("bdev_raid_delete", $$"""{"name":"{{name}}"}""");
            for (int i = 0; i < 3; i++)
            {
                await using (var client = await OpenAsync(again[i].Name, write: false)) contents[i] = await client.ReadBytesAsync(0, client.Bdev.BlockCount);
                await Host.UnregisterAsync(again[i].Name);
            }
        }
    }

    [Fact]
    public async Task Without_a_member_what_was_being_written_is_refused_until_it_is_accepted()
    {
        const int Stripes = 512;
        var uuids = Enumerable.Range(0, 3).Select(_ => Guid.NewGuid()).ToArray();
        async Task<PowerCutDisk> AppearAsync(int slot, byte[] content)
        {
            var disk = new PowerCutDisk(ContractHost.NewName(ModuleHarness.Examined), Block, content, false) { Uuid = uuids[slot] };
            Track(disk.Name);
            await Host.RegisterAsync(disk);
            await Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());
            return disk;
        }
        var disks = new List<PowerCutDisk>();
        for (int i = 0; i < 3; i++) disks.Add(await AppearAsync(i, new byte[(1 << 20) + Stripes * Strip * (int)Block]));
        string name = await ArrayAsync("raid5f", disks.Select(disk => disk.Name), superblock: true);
        byte[] data = RandomBytes(new Random(6), 2 * Strip * Block);
        await CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{disks[1].Name}}"}""");
        await using (var client = await OpenAsync(name)) await client.WriteBytesAsync(0, data);
        byte[] first = disks[0].Cut(disks[0].Moments, new Random(0)), third = disks[2].Cut(disks[2].Moments, new Random(0));
        await CallAsync("bdev_raid_delete", $$"""{"name":"{{name}}"}""");
        foreach (var disk in disks) await Host.UnregisterAsync(disk.Name);
        await AppearAsync(0, first);
        await AppearAsync(2, third);
        await Eventually.IsTrueAsync(() => Host.Registry.Find(name) is not null, "the array");
        await using var reader = await OpenAsync(name, closeWhenRemoved: true);
        using var strip = new TestBuffer(Strip * (int)Block);
        // Stripe 0 has its second strip on the missing member. What lies in regions that were not written is computed as ever.
        Assert.True((await reader.ReadAsync(strip, 0, Strip)).IsSuccess);
        var refused = await reader.ReadAsync(strip, Strip, Strip);
        Assert.Equal((BdevIoStatus.Failed, Errno.EIO), (refused.Status, refused.Result.ErrorNumber));
        Assert.True((await reader.ReadAsync(strip, reader.Bdev.BlockCount - Strip, Strip)).IsSuccess);
        Assert.Equal(1, (int)(await IntegrityAsync(name))["write_intent"]!["in_doubt"]!);
        // A new member would make it look like data.
        var fresh = (await DisksAsync(1, Stripes, superblock: true))[0];
        await QuietAsync(name);
        await CallAsync("bdev_raid_add_base_bdev", $$"""{"raid_bdev":"{{name}}","base_bdev":"{{fresh.Name}}"}""");
        string now = await QuietAsync(name);
        Assert.DoesNotContain(fresh.Name, now, StringComparison.Ordinal);
        Assert.False((await reader.ReadAsync(strip, Strip, Strip)).IsSuccess);
        Assert.Equal("1", await CallAsync("bdev_raid_accept_doubt", $$"""{"name":"{{name}}"}"""));
        Assert.Equal(data, await reader.ReadBytesAsync(0, 2 * Strip));
        await CallAsync("bdev_raid_add_base_bdev", $$"""{"raid_bdev":"{{name}}","base_bdev":"{{fresh.Name}}"}""");
        now = await QuietAsync(name);
        Assert.Contains(fresh.Name, now, StringComparison.Ordinal);
        Assert.Equal(data, await reader.ReadBytesAsync(0, 2 * Strip));
    }

    /// <summary>No background process runs, nor begins in the next moment.</summary>
    private async Task<string> QuietAsync(string name)
    {
        string now = "";
        for (int i = 0, quiet = 0; i < 2000 && quiet < 20; i++)
        {
            now = JsonNode.Parse(await CallAsync("bdev_raid_get_bdevs", """{"category":"online"}"""))!.AsArray().Single(array => (string)array!["name"]! == name)!.ToJsonString();
            quiet = now.Contains("\"process\"", StringComparison.Ordinal) ? 0 : quiet + 1;
            await Task.Delay(5, Cancel);
        }
        return now;
    }
}
