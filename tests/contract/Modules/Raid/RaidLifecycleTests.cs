using Spindle.Bdevs;
using Spindle.Bdev.Raid;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Raid;

/// <summary>Arrays are made, lose members, get them back, grow, and go.</summary>
public sealed class RaidLifecycleTests(ContractHost host) : RaidTest(host)
{
    [Fact]
    public async Task It_waits_for_its_members_and_comes_up_with_the_last()
    {
        var first = NewDisk();
        var second = NewDisk();
        await AppearAsync(first);
        string name = await ArrayAsync("raid1", [first.Name, second.Name], superblock: false);
        var info = (await InfoAsync(name))!;
        Assert.Equal(("configuring", 1, 2), ((string)info["state"]!, (int)info["num_base_bdevs_discovered"]!, (int)info["num_base_bdevs_operational"]!));
        Assert.Null(Host.Registry.Find(name));
        await AppearAsync(second);
        Assert.Equal("online", await StateAsync(name));
        Assert.Equal(DataOffset + 2048, Host.Registry.Find(name)!.BlockCount);
        await DeleteAsync(name);
        Assert.Equal("gone", await StateAsync(name));
    }

    [Fact]
    public async Task The_reply_has_SPDKs_members()
    {
        var disks = await DisksAsync(2);
        string name = await ArrayAsync("raid1", disks);
        var info = (await InfoAsync(name))!;
        Assert.Equal(["name", "uuid", "strip_size_kb", "state", "raid_level", "superblock", "num_base_bdevs", "num_base_bdevs_discovered", "num_base_bdevs_operational", "base_bdevs_list"],
            info.Select(member => member.Key).Where(key => key != "write_intent"));
        Assert.Equal(["name", "uuid", "is_configured", "data_offset", "data_size"], info["base_bdevs_list"]![0]!.AsObject().Select(member => member.Key));
        Assert.Equal((2048, 2048), ((int)info["base_bdevs_list"]![0]!["data_offset"]!, (int)info["base_bdevs_list"]![0]!["data_size"]!));
    }

    [Theory]
    [InlineData("raid1", 2, """ "strip_size_kb":64 """, "strip_size_kb is 64, and raid1 has no strips")]
    [InlineData("raid0", 2, "", "strip_size_kb is 0; it must be a power of two")]
    [InlineData("raid0", 2, """ "strip_size_kb":48 """, "strip_size_kb is 48; it must be a power of two")]
    [InlineData("raid1", 1, "", "raid1 needs at least 2 base bdevs; 1 were given")]
    public async Task What_does_not_fit_is_refused(string level, int count, string more, string reason)
    {
        var disks = await DisksAsync(count);
        var refused = await FailsAsync("bdev_raid_create", $$"""
            {"name":"bad","raid_level":"{{level}}","base_bdevs":[{{string.Join(',', disks.Select(disk => $"\"{disk.Name}\""))}}]{{(more.Length > 0 ? "," + more : "")}}}
            """);
        Assert.Equal(-Errno.EINVAL, refused.Code);
        Assert.StartsWith("Failed to create RAID bdev bad: Invalid argument", refused.Message);
        Assert.Contains(reason, refused.Message);
        Assert.Empty(Arrays.All);
        // The disks are free.
        foreach (var disk in disks) await (await OpenAsync(disk.Name)).DisposeAsync();
    }

    [Fact]
    public async Task The_same_member_twice_a_taken_name_and_no_level_are_refused()
    {
        var disks = await DisksAsync(2);
        Assert.Equal(-Errno.EPERM, (await FailsAsync("bdev_raid_create", $$"""{"name":"r","raid_level":"raid1","base_bdevs":["{{disks[0].Name}}","{{disks[0].Name}}"]}""")).Code);
        Assert.Empty(Arrays.All);
        string name = await ArrayAsync("raid1", disks);
        Assert.Equal(-Errno.EEXIST, (await FailsAsync("bdev_raid_create", $$"""{"name":"{{name}}","raid_level":"raid1","base_bdevs":["x","y"]}""")).Code);
        Assert.Equal(-32700, (await FailsAsync("bdev_raid_create", """{"name":"r","raid_level":"raid7","base_bdevs":["x","y"]}""")).Code);
        Assert.Equal(-Errno.ENODEV, (await FailsAsync("bdev_raid_delete", """{"name":"none"}""")).Code);
        Assert.Equal(-Errno.ENODEV, (await FailsAsync("bdev_raid_remove_base_bdev", """{"name":"none"}""")).Code);
        Assert.Equal(-Errno.EINVAL, (await FailsAsync("bdev_raid_get_bdevs", """{"category":"some"}""")).Code);
        Assert.Equal(-Errno.EINVAL, (await FailsAsync("bdev_raid_set_options", """{"process_window_size_kb":0}""")).Code);
    }

    [Fact]
    public async Task A_member_of_another_array_is_not_taken()
    {
        var disks = await DisksAsync(3);
        string name = await ArrayAsync("raid1", disks[..2]);
        await DeleteAsync(name);
        var refused = await FailsAsync("bdev_raid_create", $$"""{"name":"other","raid_level":"raid1","base_bdevs":["{{disks[2].Name}}","{{disks[0].Name}}"],"superblock":true}""");
        Assert.Equal(-Errno.EEXIST, refused.Code);
        Assert.Contains($"the superblock of another array, '{name}'", refused.Message);
    }

    [Fact]
    public async Task A_member_that_is_removed_leaves_a_mirror_degraded_and_one_that_is_added_is_rebuilt()
    {
        var disks = await DisksAsync(3);
        string name = await ArrayAsync("raid1", disks[..2]);
        byte[] data = RandomBytes(new Random(1), 2048 * Block);
        await WriteAsync(name, 0, data);
        await RemoveAsync(disks[0]);
        var info = (await InfoAsync(name))!;
        Assert.Equal(("online", 1, 1), ((string)info["state"]!, (int)info["num_base_bdevs_discovered"]!, (int)info["num_base_bdevs_operational"]!));
        Assert.Null(info["base_bdevs_list"]![0]!["name"]);
        Assert.Equal("00000000-0000-0000-0000-000000000000", (string)info["base_bdevs_list"]![0]!["uuid"]!);
        RandomBytes(new Random(2), 100 * Block).CopyTo(data, 7 * Block);
        await WriteAsync(name, 7, data[(7 * (int)Block)..(107 * (int)Block)]);
        Assert.Equal(data, await ReadAllAsync(name));
        await AddAsync(name, disks[2]);
        await WholeAsync(name);
        Assert.Equal(data, await RawAsync(disks[2]));
        Assert.Equal(data, await RawAsync(disks[1]));
        // What was removed is stale, and is no part of it any more: its place is taken.
        Assert.NotEqual(data, await RawAsync(disks[0]));
        await VanishAsync(disks[1]);
        Assert.Equal(data, await ReadAllAsync(name));
    }

    [Fact]
    public async Task A_disk_that_vanishes_and_comes_back_is_rebuilt_by_itself()
    {
        var disks = await DisksAsync(2);
        string name = await ArrayAsync("raid1", disks);
        await WriteAsync(name, 0, RandomBytes(new Random(1), 2048 * Block));
        await VanishAsync(disks[0]);
        byte[] data = RandomBytes(new Random(2), 2048 * Block);
        await WriteAsync(name, 0, data);
        var back = disks[0].Renamed(ContractHost.NewName(ModuleHarness.Examined), disks[0].Uuid);
        await AppearAsync(back);
        await WholeAsync(name);
        Assert.Equal(data, await RawAsync(back));
    }

    [Fact]
    public async Task Without_its_last_member_it_goes_offline_and_so_does_raid0_without_any()
    {
        var disks = await DisksAsync(4);
        string mirror = await ArrayAsync("raid1", disks[..2]), strips = await ArrayAsync("raid0", disks[2..], stripKib: 4);
        await VanishAsync(disks[0]);
        await VanishAsync(disks[1]);
        Assert.Equal("gone", await StateAsync(mirror));
        Assert.Null(Host.Registry.Find(mirror));
        await RemoveAsync(disks[2]);
        Assert.Equal("offline", await StateAsync(strips));
        Assert.Null(Host.Registry.Find(strips));
        await DeleteAsync(strips);
        Assert.Equal("gone", await StateAsync(strips));
    }

    [Fact]
    public async Task What_cannot_do_what_hosts_were_told_is_not_put_in_and_neither_is_what_is_too_small()
    {
        var disks = await DisksAsync(2);
        var small = NewDisk(2047);
        await AppearAsync(small);
        string name = await ArrayAsync("raid1", disks);
        Assert.Equal(-Errno.EINVAL, (await FailsAsync("bdev_raid_add_base_bdev", $$"""{"raid_bdev":"{{name}}","base_bdev":"{{small.Name}}"}""")).Code); // no empty slot
        await RemoveAsync(disks[1]);
        var refused = await FailsAsync("bdev_raid_add_base_bdev", $$"""{"raid_bdev":"{{name}}","base_bdev":"{{small.Name}}"}""");
        Assert.Equal(-Errno.EINVAL, refused.Code);
        Assert.Contains($"'{small.Name}' has 4095 blocks; 4096 are needed", refused.Message);
        Assert.Equal(-Errno.ENODEV, (await FailsAsync("bdev_raid_add_base_bdev", $$"""{"raid_bdev":"{{name}}","base_bdev":"none"}""")).Code);
        await AddAsync(name, disks[1]);
        await WholeAsync(name);
    }

    [Fact]
    public async Task The_calls_that_make_it_again_are_saved()
    {
        var disks = await DisksAsync(4);
        string plain = await ArrayAsync("raid0", disks[..2], superblock: false, stripKib: 16), mirror = await ArrayAsync("raid1", disks[2..]);
        var writer = new SavedCalls();
        await Host.OnAppAsync(() =>
        {
            Host.Registry.Find(plain)!.WriteConfig(writer);
            Host.Registry.Find(mirror)!.WriteConfig(writer);
        });
        string call = Assert.Single(writer.Calls);
        Assert.Contains("bdev_raid_create", call);
        Assert.Contains(disks[1].Name, call);
        Assert.Contains("bdev_raid_set_options", string.Join('\n', await Host.Modules.SavedAsync(Host.Modules.Raid)));
    }

    [Fact]
    public async Task A_read_error_is_read_elsewhere_and_written_again()
    {
        var disks = await DisksAsync(2);
        string name = await ArrayAsync("raid1", disks);
        byte[] data = RandomBytes(new Random(1), 2048 * Block);
        await WriteAsync(name, 0, data);
        // Block 100 of each cannot be read until it is written again.
        int bad = 1, writes = 0;
        BdevIoResult? Judge(BdevIo io)
        {
            bool touches = io.OffsetBlocks <= DataOffset + 100 && DataOffset + 100 < io.OffsetBlocks + io.NumBlocks;
            if (!touches || io.Type is not (BdevIoType.Read or BdevIoType.Write)) return null;
            if (io.Type == BdevIoType.Read) return Volatile.Read(ref bad) == 1 ? BdevIoResult.FromErrno(Errno.EIO) : null;
            Interlocked.Increment(ref writes);
            Volatile.Write(ref bad, 0);
            return null;
        }
        disks[0].Intercept = Judge;
        var client = await OpenAsync(name);
        for (int i = 0; i < 4; i++) Assert.Equal(data.AsSpan(96 * (int)Block, 8 * (int)Block).ToArray(), await client.ReadBytesAsync(96, 8));
        await Eventually.IsTrueAsync(() => Volatile.Read(ref bad) == 0, "the block was written again");
        Assert.Equal(2, (int)(await InfoAsync(name))!["num_base_bdevs_discovered"]!);
        Assert.True(writes > 0);
        // One that cannot be written either is taken out.
        Volatile.Write(ref bad, 2);
        disks[0].Intercept = io => io.Type is BdevIoType.Read or BdevIoType.Write ? BdevIoResult.FromErrno(Errno.EIO) : null;
        Assert.Equal(data.AsSpan(0, 8 * (int)Block).ToArray(), await client.ReadBytesAsync(0, 8));
        await UntilAsync(async () => (int)(await InfoAsync(name))!["num_base_bdevs_discovered"]! == 1, "the member is out");
        Assert.Equal(data, await ReadAllAsync(name));
        disks[0].Intercept = null;
    }

    [Fact]
    public async Task A_write_that_a_member_fails_is_acknowledged_when_the_others_know_it()
    {
        var disks = await DisksAsync(2);
        string name = await ArrayAsync("raid1", disks);
        disks[0].Intercept = io => io.Type == BdevIoType.Write ? BdevIoResult.FromErrno(Errno.EIO) : null;
        byte[] data = RandomBytes(new Random(3), 8 * Block);
        await WriteAsync(name, 5, data);
        disks[0].Intercept = null;
        await Host.OnAppAsync(() =>
        {
            var super = Arrays.Find(name)!.Super!;
            Assert.Equal(SuperblockMemberState.Failed, super.Member(0).State);
        });
        byte[] written = (await RawAsync(disks[1], 0))[..RaidSuperblock.MostBytes];
        Assert.Equal(SuperblockMemberState.Failed, RaidSuperblock.Parse(written).Member(0).State);
        Assert.Equal(SuperblockMemberState.Configured, RaidSuperblock.Parse((await RawAsync(disks[0], 0))[..RaidSuperblock.MostBytes]).Member(0).State);
        Assert.Equal(data, (await ReadAllAsync(name))[(5 * (int)Block)..(13 * (int)Block)]);
        // The last one's errors are the caller's, and it stays.
        disks[1].Intercept = io => io.Type == BdevIoType.Write ? BdevIoResult.FromErrno(Errno.EIO) : null;
        var client = await OpenAsync(name);
        using var buffer = new TestBuffer(8 * (int)Block);
        Assert.Equal(BdevIoStatus.Failed, (await client.WriteAsync(buffer, 5, 8)).Status);
        disks[1].Intercept = null;
        Assert.Equal("online", await StateAsync(name));
        Assert.True((await client.WriteAsync(buffer, 5, 8)).IsSuccess);
    }

    [Fact]
    public async Task A_rebuild_goes_on_where_it_stopped()
    {
        var disks = await DisksAsync(3, dataBlocks: 8192);
        string name = await ArrayAsync("raid1", disks[..2]);
        byte[] data = RandomBytes(new Random(4), 8192 * Block);
        await WriteAsync(name, 0, data);
        await RemoveAsync(disks[1]);
        await CallAsync("bdev_raid_set_options", """{"process_window_size_kb":64,"process_max_bandwidth_mb_sec":4}""");
        await AddAsync(name, disks[2]);
        await CallAsync("bdev_raid_set_options", """{"process_window_size_kb":1024,"process_max_bandwidth_mb_sec":0}""");
        ulong reached = 0;
        await UntilAsync(async () => (reached = (ulong?)(await InfoAsync(name))!["process"]?["progress"]?["blocks"] ?? 0) >= 1024, "a part is rebuilt");
        Assert.Equal(("rebuild", disks[2].Name), ((string)(await InfoAsync(name))!["process"]!["type"]!, (string)(await InfoAsync(name))!["process"]!["target"]!));
        Assert.Equal(-Errno.EPERM, (await FailsAsync("bdev_raid_add_base_bdev", $$"""{"raid_bdev":"{{name}}","base_bdev":"{{disks[1].Name}}"}""")).Code);
        await Host.UnregisterAsync(name); // as at the host's end
        await UntilAsync(async () => await StateAsync(name) == "gone", "the array is gone");
        foreach (var disk in disks) await VanishAsync(disk);
        // The part that was rebuilt is not read again.
        ulong readAgain = 0;
        var source = disks[0].Renamed(ContractHost.NewName(ModuleHarness.Examined), disks[0].Uuid);
        source.Intercept = io =>
        {
            if (io.Type == BdevIoType.Read && io.OffsetBlocks >= DataOffset && io.OffsetBlocks < DataOffset + reached) readAgain += io.NumBlocks;
            return null;
        };
        var target = disks[2].Renamed(ContractHost.NewName(ModuleHarness.Examined), disks[2].Uuid);
        await AppearAsync(source);
        Assert.Equal("online", await StateAsync(name));
        await AppearAsync(target);
        await WholeAsync(name);
        Assert.Equal(0ul, readAgain);
        Assert.Equal(data, await RawAsync(target));
        Track(name);
    }

    [Fact]
    public async Task An_array_starts_without_a_member_when_it_is_told_to()
    {
        var disks = await DisksAsync(2);
        string name = await ArrayAsync("raid1", disks);
        byte[] data = RandomBytes(new Random(5), 2048 * Block);
        await WriteAsync(name, 0, data);
        Assert.Equal(-Errno.EINVAL, (await FailsAsync("bdev_raid_start_degraded", $$"""{"name":"{{name}}"}""")).Code);
        await DeleteAsync(name);
        foreach (var disk in disks) await VanishAsync(disk);
        await AppearAsync(disks[1].Renamed(ContractHost.NewName(ModuleHarness.Examined), disks[1].Uuid));
        Assert.Equal("configuring", await StateAsync(name));
        await CallAsync("bdev_raid_start_degraded", $$"""{"name":"{{name}}"}""");
        Assert.Equal(data, await ReadAllAsync(name));
        await WriteAsync(name, 0, RandomBytes(new Random(6), 8 * Block));
        RandomBytes(new Random(6), 8 * Block).CopyTo(data, 0);
        var late = disks[0].Renamed(ContractHost.NewName(ModuleHarness.Examined), disks[0].Uuid);
        await AppearAsync(late);
        await WholeAsync(name);
        Assert.Equal(data, await RawAsync(late));
    }

    [Fact]
    public async Task A_rebuild_begins_anew_if_something_was_written_without_its_target()
    {
        var disks = await DisksAsync(3, dataBlocks: 8192);
        string name = await ArrayAsync("raid1", disks[..2]);
        byte[] data = RandomBytes(new Random(5), 8192 * Block);
        await WriteAsync(name, 0, data);
        await RemoveAsync(disks[1]);
        await CallAsync("bdev_raid_set_options", """{"process_window_size_kb":64,"process_max_bandwidth_mb_sec":4}""");
        await AddAsync(name, disks[2]);
        await CallAsync("bdev_raid_set_options", """{"process_window_size_kb":1024,"process_max_bandwidth_mb_sec":0}""");
        await UntilAsync(async () => ((ulong?)(await InfoAsync(name))!["process"]?["progress"]?["blocks"] ?? 0) >= 1024, "a part is rebuilt");
        await Host.UnregisterAsync(name);
        foreach (var disk in disks) await VanishAsync(disk);
        var source = disks[0].Renamed(ContractHost.NewName(ModuleHarness.Examined), disks[0].Uuid);
        var target = disks[2].Renamed(ContractHost.NewName(ModuleHarness.Examined), disks[2].Uuid);
        await AppearAsync(source);
        RandomBytes(new Random(6), 8 * Block).CopyTo(data, 0);
        await WriteAsync(name, 0, data[..(8 * (int)Block)]);
        await AppearAsync(target);
        await WholeAsync(name);
        Assert.Equal(data, await RawAsync(target));
        Track(name);
    }
}
