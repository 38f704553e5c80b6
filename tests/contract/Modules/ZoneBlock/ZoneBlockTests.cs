using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Rpc;

namespace Spindle.ContractTests.Modules.ZoneBlock;

/// <summary>What the zone block module does besides what every zoned bdev does.</summary>
public sealed class ZoneBlockTests(ContractHost host) : BdevTest(host)
{
    private Task<BdevSubject> MallocAsync(ulong blocks, int dif = 0, bool interleaved = false) => Subjects.MallocAsync(Host,
        new() { Name = Track(ContractHost.NewName("disk")), NumBlocks = blocks, BlockSize = 512, DifType = dif, MdSize = dif > 0 ? 8u : 0, MdInterleave = interleaved });

    private Task<string> CreateAsync(string name, string below, string capacity = "100", string optimal = "4") => Host.Modules.ZoneBlock.CallAsync("bdev_zone_block_create",
        $$"""{"name":"{{name}}","base_bdev":"{{below}}","zone_capacity":{{capacity}},"optimal_open_zones":{{optimal}}}""");

    private async Task<string> ZonesAsync(string below, string capacity = "100")
    {
        string name = Track(ContractHost.NewName("zones"));
        Assert.Equal($"\"{name}\"", await CreateAsync(name, below, capacity));
        return name;
    }

    private async Task<IEnumerable<string>> SavedAsync(string name) => (await Host.Modules.SavedAsync(Host.Modules.ZoneBlock)).Where(call => call.Contains($" name={name} ", StringComparison.Ordinal));

    private static void Succeeded(Outcome outcome) => Assert.True(outcome.IsSuccess, outcome.ToString());

    private static void Refused(Outcome outcome, byte code)
    {
        Assert.Equal((0, BdevIoStatus.NvmeError), (outcome.Error, outcome.Status));
        Assert.Equal((1, code, true), (outcome.Result.NvmeStatusCodeType, outcome.Result.NvmeStatusCode, outcome.Result.NvmeDoNotRetry));
    }

    [Fact]
    public async Task Zones_are_full_at_first_and_show_what_is_on_the_base()
    {
        var disk = await MallocAsync(1000);
        byte[] before = RandomBytes(new Random(1), 1000 * 512);
        await using (var below = await OpenAsync(disk.Name)) await below.WriteBytesAsync(0, before);
        var client = await OpenAsync(await ZonesAsync(disk.Name));
        var bdev = client.Bdev;
        // Zones start at multiples of 128 blocks, so that seven fit, and 104 blocks at the end are nobody's.
        Assert.Equal((true, 128ul, 7ul, 896ul, 0u, 0u, 4u), (bdev.IsZoned, bdev.ZoneSizeBlocks, bdev.ZoneCount, bdev.BlockCount, bdev.MaxOpenZones, bdev.MaxActiveZones, bdev.OptimalOpenZones));
        foreach (var (zone, i) in (await client.GetZonesAsync(0, 7)).Select((zone, i) => (zone, (ulong)i)))
            Assert.Equal((i * 128, (i * 128) + 100, 100ul, BdevZoneState.Full, BdevZoneType.SequentialWriteRequired), (zone.Start, zone.WritePointer, zone.Capacity, zone.State, zone.Type));
        Assert.Equal(before[..(100 * 512)], await client.ReadBytesAsync(0, 100));
        Assert.Equal(before[(6 * 128 * 512)..((6 * 128 + 100) * 512)], await client.ReadBytesAsync(6 * 128, 100));
        // The gap behind a zone's capacity is never written.
        Assert.Equal(new byte[28 * 512], await client.ReadBytesAsync(100, 28));
    }

    [Fact]
    public async Task What_was_not_written_since_a_reset_reads_as_zeroes_whatever_the_base_has()
    {
        var disk = await MallocAsync(512);
        await using (var below = await OpenAsync(disk.Name)) await below.WriteBytesAsync(0, RandomBytes(new Random(2), 512 * 512));
        string name = Track("EE_" + disk.Name);
        await Host.Modules.Error.CallAsync("bdev_error_create", $$"""{"base_name":"{{disk.Name}}"}""");
        // The base fails to deallocate: the reset says so, and the zone is empty all the same.
        await Host.Modules.Error.CallAsync("bdev_error_inject_error", $$"""{"name":"{{name}}","io_type":"unmap","error_type":"failure","num":1}""");
        var client = await OpenAsync(await ZonesAsync(name));
        var reset = await client.ZoneManagementAsync(128, BdevZoneAction.Reset);
        Assert.Equal(BdevIoStatus.Failed, reset.Status);
        Assert.Equal(BdevZoneState.Empty, (await client.GetZonesAsync(128, 1))[0].State);
        byte[] data = RandomBytes(new Random(3), 5 * 512);
        await client.WriteBytesAsync(128, data);
        byte[] expected = [.. data, .. new byte[123 * 512]];
        using var odd = new TestBuffer(TestBuffer.OddSplit(new Random(4), 128 * 512, 9), 3);
        odd.Fill(0xEE);
        Succeeded(await client.ReadAsync(odd, 128, 128));
        Assert.Equal(expected, odd.ToArray());
        Assert.Equal(new byte[512], await client.ReadBytesAsync(133, 1));
        // Finished early, the zone is full, and the rest of it stays what it was not.
        Succeeded(await client.ZoneManagementAsync(128, BdevZoneAction.Finish));
        Assert.Equal((BdevZoneState.Full, 228ul), ((await client.GetZonesAsync(128, 1))[0].State, (await client.GetZonesAsync(128, 1))[0].WritePointer));
        Assert.Equal(expected, await client.ReadBytesAsync(128, 128));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Where_there_is_protection_information_unwritten_blocks_say_not_to_check_it(bool interleaved)
    {
        var disk = await MallocAsync(512, dif: 1, interleaved);
        var client = await OpenAsync(await ZonesAsync(disk.Name));
        int block = (int)client.Bdev.BlockSize;
        Succeeded(await client.ZoneManagementAsync(0, BdevZoneAction.Reset));
        using var data = new TestBuffer(TestBuffer.OddSplit(new Random(1), 4 * block, 5), 1);
        using var metadata = new TestBuffer(4 * 8);
        metadata.Fill(1);
        Succeeded(await client.SubmitAsync((c, done, state) => c.Read(data.Vectors, 0, 4, done, state, interleaved ? 0 : metadata.Vectors[0].Address)));
        byte[] bytes = data.ToArray();
        for (int i = 0; i < 4; i++)
        {
            Assert.True(bytes.AsSpan(i * block, 512).IndexOfAnyExcept((byte)0) < 0, $"the data of block {i}");
            var its = interleaved ? bytes.AsSpan((i * block) + 512, 8) : metadata.ToArray().AsSpan(i * 8, 8);
            Assert.True(its.IndexOfAnyExcept((byte)0xFF) < 0, $"the metadata of block {i}");
        }
    }

    [Fact]
    public async Task What_a_zone_does_not_take_ends_with_the_status_that_says_why()
    {
        var disk = await MallocAsync(512);
        var client = await OpenAsync(await ZonesAsync(disk.Name));
        using var one = new TestBuffer(512);
        using var many = new TestBuffer(101 * 512);
        Refused(await client.WriteAsync(one, 0, 1), 0xB9);
        Refused(await client.ZoneAppendAsync(one, 0, 1), 0xB9);
        Refused(await client.ZoneManagementAsync(0, BdevZoneAction.Open), 0xBF);
        Refused(await client.ZoneManagementAsync(0, BdevZoneAction.Offline), 0xBF);
        Succeeded(await client.ZoneManagementAsync(0, BdevZoneAction.Reset));
        Refused(await client.WriteAsync(one, 1, 1), 0xBC);
        Refused(await client.WriteAsync(many, 0, 101), 0xB8);
        Refused(await client.ZoneManagementAsync(0, BdevZoneAction.Close), 0xBF);
        Assert.Equal(BdevZoneState.Empty, (await client.GetZonesAsync(0, 1))[0].State);
    }

    [Fact]
    public async Task A_write_that_the_base_fails_fails_and_the_zone_goes_on_behind_it()
    {
        var disk = await MallocAsync(512);
        string name = Track("EE_" + disk.Name);
        await Host.Modules.Error.CallAsync("bdev_error_create", $$"""{"base_name":"{{disk.Name}}"}""");
        var client = await OpenAsync(await ZonesAsync(name));
        Succeeded(await client.ZoneManagementAsync(0, BdevZoneAction.Reset));
        await Host.Modules.Error.CallAsync("bdev_error_inject_error", $$"""{"name":"{{name}}","io_type":"write","error_type":"failure","num":2}""");
        using var buffer = new TestBuffer(4 * 512);
        Assert.Equal(BdevIoStatus.Failed, (await client.WriteAsync(buffer, 0, 4)).Status);
        Assert.Equal(BdevIoStatus.Failed, (await client.ZoneAppendAsync(buffer, 0, 4)).Status);
        var appended = await client.ZoneAppendAsync(buffer, 0, 4);
        Assert.Equal((true, 8ul), (appended.IsSuccess, appended.Result.Value));
        // Nothing is left under way: a reset need not wait.
        Succeeded(await client.ZoneManagementAsync(0, BdevZoneAction.Reset));
    }

    [Fact]
    public async Task A_reset_deallocates_its_zone_on_the_base_and_no_more()
    {
        var disk = await MallocAsync(512);
        await using (var below = await OpenAsync(disk.Name)) await below.WriteBytesAsync(0, RandomBytes(new Random(5), 512 * 512));
        var client = await OpenAsync(await ZonesAsync(disk.Name));
        var whole = await OpenAsync(disk.Name, write: false);
        byte[] before = await whole.ReadBytesAsync(0, 512);
        Succeeded(await client.ZoneManagementAsync(128, BdevZoneAction.Reset));
        before.AsSpan(128 * 512, 100 * 512).Clear();
        Assert.Equal(before, await whole.ReadBytesAsync(0, 512));
    }

    [Theory]
    [InlineData("0", "1", "zone_capacity")]
    [InlineData("8796093022209", "1", "zone_capacity")]
    [InlineData("18446744073709551615", "1", "zone_capacity")]
    [InlineData("513", "1", "zone_capacity")]
    [InlineData("100", "0", "optimal_open_zones")]
    [InlineData("100", "4294967296", "optimal_open_zones")]
    public async Task What_does_not_fit_is_refused_with_the_parameter_and_leaves_nothing(string capacity, string optimal, string parameter)
    {
        var disk = await MallocAsync(512);
        string name = ContractHost.NewName("zones");
        var refused = await Assert.ThrowsAsync<SpindleException>(() => CreateAsync(name, disk.Name, capacity, optimal));
        Assert.Equal(Errno.EINVAL, refused.Errno);
        Assert.Contains(parameter, refused.Message);
        Assert.Null(Host.Registry.Find(name));
        Assert.Empty(await SavedAsync(name));
        await using var writer = await OpenAsync(disk.Name);
    }

    [Fact]
    public async Task A_name_or_a_base_in_use_is_refused()
    {
        var disk = await MallocAsync(512);
        string name = await ZonesAsync(disk.Name);
        foreach (var (again, below) in new[] { (name, "elsewhere"), (disk.Name, "elsewhere"), ("other", disk.Name), ("other", name) })
            Assert.Equal(Errno.EEXIST, (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync(again, below))).Errno);
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => Host.Modules.ZoneBlock.CallAsync("bdev_zone_block_delete", """{"name":"nothing"}"""))).Errno);
    }

    [Theory]
    [InlineData("split")]
    [InlineData("crypto")]
    public async Task What_does_not_keep_to_zones_is_not_put_on_them(string kind)
    {
        var disk = await MallocAsync(512);
        string name = await ZonesAsync(disk.Name);
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => kind == "split"
            ? Subjects.SplitAsync(Host, new BdevSubject(name), 2, 0) : Subjects.CryptoAsync(Host, new BdevSubject(name)));
        Assert.True(refused is SpindleException or RpcException, refused.ToString());
        Assert.Contains("zoned", refused.Message);
        Assert.Equal(BdevClaimType.None, Spindle.Host.Bdevs.BdevRegistry.GetClaim(Host.Registry.Find(name)!).Type);
    }

    [Fact]
    public async Task It_waits_for_its_base_goes_with_it_and_comes_back_full()
    {
        string below = ContractHost.NewName("later"), name = Track(ContractHost.NewName("zones"));
        await CreateAsync(name, below);
        Assert.Null(Host.Registry.Find(name));
        await Subjects.MallocAsync(Host, new() { Name = Track(below), NumBlocks = 512, BlockSize = 512 });
        var client = await OpenAsync(name, closeWhenRemoved: true);
        Succeeded(await client.ZoneManagementAsync(0, BdevZoneAction.Reset));
        await Host.UnregisterAsync(below).WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        Assert.Null(Host.Registry.Find(name));
        await Subjects.MallocAsync(Host, new() { Name = below, NumBlocks = 512, BlockSize = 512 });
        await using (var again = await OpenAsync(name)) Assert.All(await again.GetZonesAsync(0, 4), zone => Assert.Equal(BdevZoneState.Full, zone.State));
        Assert.Equal([$"bdev_zone_block_create base_bdev={below} name={name} zone_capacity=100 optimal_open_zones=4"], await SavedAsync(name));
        Assert.Equal("true", await Host.Modules.ZoneBlock.CallAsync("bdev_zone_block_delete", $$"""{"name":"{{name}}"}"""));
        Assert.Null(Host.Registry.Find(name));
        Assert.Empty(await SavedAsync(name));
    }

    [Fact]
    public async Task It_is_described_with_spdks_members_and_identity()
    {
        var disk = await MallocAsync(512);
        string name = await ZonesAsync(disk.Name);
        var bdev = await FindAsync(name);
        var text = new TextWriterOfRpc();
        bdev.DumpInfo(text);
        Assert.Equal($"zoned_block={{ name={name} base_bdev={disk.Name} zone_capacity=100 optimal_open_zones=4 }}", text.ToString());
        Assert.Equal("zone_block", bdev.ProductName);
        Assert.Equal(5, bdev.Uuid.Version);
    }
}
