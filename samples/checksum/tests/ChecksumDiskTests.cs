using System.Text.Json.Nodes;
using Spindle;
using Spindle.Bdevs;
using Spindle.Testing;

namespace Acme.Checksum.Tests;

public sealed class ChecksumDiskTests : IAsyncLifetime
{
    private readonly Random _random = new(1);
    private TestHost _host = null!;
    private TestModule _module = null!;
    private MemoryDisk _disk = null!;

    public ValueTask InitializeAsync() => StartAsync(new TestHostOptions());

    private async ValueTask StartAsync(TestHostOptions options)
    {
        _host = await TestHost.StartAsync(options);
        _module = await _host.AddModuleAsync(new ChecksumModule());
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopModulesAsync();
        await _host.DisposeAsync();
    }

    public static TheoryData<string> Rules => [.. BdevConformance.RuleIds];

    [Theory, MemberData(nameof(Rules))]
    public async Task It_conforms(string rule)
    {
        if (await new BdevConformance(_host, CreateAsync).RunAsync(rule) is { } reason) Assert.Skip(reason);
    }

    private Task<string> CreateAsync(string below, string name, bool rebuild = false) =>
        _module.CallAsync("acme_checksum_create", $$"""{ "base_bdev_name": "{{below}}", "name": "{{name}}", "rebuild": {{(rebuild ? "true" : "false")}} }""");

    private Task<string> DeleteAsync(string name) => _module.CallAsync("acme_checksum_delete", $$"""{ "name": "{{name}}" }""");

    private async Task<JsonNode> ErrorsAsync(string name) => JsonNode.Parse(await _module.CallAsync("acme_checksum_get_errors", $$"""{ "name": "{{name}}" }"""))!;

    private async Task<BdevSubject> CreateAsync()
    {
        string below = TestHost.NewName("below"), name = TestHost.NewName("sum");
        _disk = new MemoryDisk(below, blockCount: 4096, writeCache: true);
        await _host.RegisterAsync(_disk);
        await CreateAsync(below, name);
        return new BdevSubject(name)
        {
            Below = [below],
            DeleteAsync = () => DeleteAsync(name),
            RestartAsync = async () =>
            {
                await _host.UnregisterAsync(name);
                await ReplugAsync(below);
            },
            CutPowerAsync = () => ReplugAsync(below), // with the checksum disk still on it
        };
    }

    /// <summary>Takes the base away without a warning, loses what it had not made durable, and brings it back.</summary>
    private async Task ReplugAsync(string below)
    {
        await _host.UnregisterAsync(below);
        await _host.RegisterAsync(_disk = _disk.CutPower(_random));
        await _host.OnAppAsync(() => _host.Registry.WaitForExamineAsync());
    }

    private byte[] Bytes(int blocks)
    {
        byte[] bytes = new byte[blocks * 512];
        _random.NextBytes(bytes);
        return bytes;
    }

    private Layout LayoutOf(string name) => Layout.For(_disk, name, Guid.Empty);

    private void Corrupt(string name, ulong block, int at = 17) => _disk.Corrupt((long)(LayoutOf(name).FirstDataBlock + block) * 512 + at, 4);

    [Fact]
    public async Task A_block_that_was_altered_below_is_a_read_error_that_names_it()
    {
        var subject = await CreateAsync();
        byte[] data = Bytes(64);
        await using (var client = await _host.OpenAsync(subject.Name))
        {
            await client.WriteBytesAsync(1000, data);
            Corrupt(subject.Name, 1030);
            using var buffer = new TestBuffer([1000, 31 * 512 + 24, 31 * 512], 3);
            var outcome = await client.ReadAsync(buffer, 1000, 64);
            Assert.Equal((BdevIoStatus.NvmeError, (byte)2, (byte)0x81), (outcome.Status, outcome.Result.NvmeStatusCodeType, outcome.Result.NvmeStatusCode));
            // The blocks around it are good.
            Assert.Equal(data[..(30 * 512)], await client.ReadBytesAsync(1000, 30));
            Assert.Equal(data[(31 * 512)..], await client.ReadBytesAsync(1031, 33));
            await Eventually.IsTrueAsync(() => ErrorsAsync(subject.Name).Result["count"]!.GetValue<int>() == 1, "the error", 10);
            Assert.Equal(1030, (await ErrorsAsync(subject.Name))["latest"]![0]!["block"]!.GetValue<int>());
            // What is written anew is good again.
            await client.WriteBytesAsync(1030, data[..512]);
            Assert.Equal(data[..512], await client.ReadBytesAsync(1030, 1));
        }
    }

    [Fact]
    public async Task It_comes_back_with_its_base_and_still_knows_what_was_altered_meanwhile()
    {
        var subject = await CreateAsync();
        byte[] data = Bytes(8);
        var uuid = _host.Registry.Find(subject.Name)!.Uuid;
        await using (var client = await _host.OpenAsync(subject.Name)) await client.WriteBytesAsync(5, data);
        await _host.UnregisterAsync(subject.Name);
        Corrupt(subject.Name, 7);
        await ReplugAsync(subject.Below[0]);
        Assert.Equal(uuid, _host.Registry.Find(subject.Name)!.Uuid);
        await using (var client = await _host.OpenAsync(subject.Name))
        {
            using var buffer = new TestBuffer(512);
            Assert.False((await client.ReadAsync(buffer, 7, 1)).IsSuccess);
            Assert.Equal(data[..1024], await client.ReadBytesAsync(5, 2));
        }
    }

    /// <summary>A power cut costs the protection of what was being written, and of nothing else.</summary>
    [Fact]
    public async Task After_a_power_cut_what_was_altered_elsewhere_is_still_found()
    {
        // With a clock of the test's.
        await DisposeAsync();
        await StartAsync(new TestHostOptions { ManualClock = true });
        string below = TestHost.NewName("below"), name = TestHost.NewName("sum");
        // Several regions.
        await _host.RegisterAsync(_disk = new MemoryDisk(below, blockCount: 16384, writeCache: true));
        await CreateAsync(below, name);
        var layout = LayoutOf(name);
        ulong far = layout.BlocksPerRegion * 3;
        await using (var client = await _host.OpenAsync(name))
        {
            await client.WriteBytesAsync(far, Bytes(4));
            Assert.True((await client.FlushAsync(0, layout.DataBlocks)).IsSuccess);
            // The marks that it was made with go, and that of the first region comes.
            await _host.Clock.AdvanceAsync(TimeSpan.FromSeconds(2));
            await client.WriteBytesAsync(3, Bytes(4));
        }
        Corrupt(name, far + 1);
        await ReplugAsync(below);
        await using (var client = await _host.OpenAsync(name))
        {
            await client.ReadBytesAsync(0, 16);
            using var buffer = new TestBuffer(512);
            Assert.False((await client.ReadAsync(buffer, far + 1, 1)).IsSuccess);
        }
    }

    [Fact]
    public async Task A_region_is_marked_durably_before_it_is_written_to()
    {
        var subject = await CreateAsync();
        await _host.UnregisterAsync(subject.Name);
        await ReplugAsync(subject.Below[0]);
        var layout = LayoutOf(subject.Name);
        var order = new List<string>();
        _disk.Intercept = io =>
        {
            if (io.Type is BdevIoType.Write or BdevIoType.Flush)
                lock (order) order.Add(io.Type == BdevIoType.Flush ? "flush" : io.OffsetBlocks == Layout.IntentBlock ? "mark" : io.OffsetBlocks >= layout.FirstDataBlock ? "data" : "checksums");
            return null;
        };
        await using (var client = await _host.OpenAsync(subject.Name))
        {
            await client.WriteBytesAsync(9, Bytes(1));
            await client.WriteBytesAsync(9, Bytes(1));
            Assert.True((await client.FlushAsync(0, layout.DataBlocks)).IsSuccess);
        }
        lock (order) Assert.Equal(["mark", "flush", "data", "data", "checksums", "flush"], order);
        _disk.Intercept = null;
    }

    /// <summary>Data and checksum do not change in one step: a read that is under way with a write would take the one's old and the other's new for an alteration.</summary>
    [Fact]
    public async Task A_write_waits_for_a_read_of_the_same_block()
    {
        string name = TestHost.NewName("sum");
        var disk = new HoldingDisk(TestHost.NewName("holding"));
        await _host.RegisterAsync(disk);
        await CreateAsync(disk.Name, name);
        await using (var client = await _host.OpenAsync(name))
        {
            using TestBuffer old = new(512), read = new(512), fresh = new(512);
            old.Fill(1);
            fresh.Fill(2);
            Assert.True((await client.WriteAsync(old, 40, 1)).IsSuccess);
            disk.HoldsReads = true;
            var reading = client.ReadAsync(read, 40, 1);
            await Eventually.IsTrueAsync(() => disk.Held == 1, "the read at the base", 20);
            var writing = client.WriteAsync(fresh, 40, 1);
            // Others pass.
            Assert.True((await client.WriteAsync(fresh, 41, 1)).IsSuccess);
            Assert.False(writing.IsCompleted);
            disk.HoldsReads = false;
            disk.Release();
            Assert.True((await reading).IsSuccess);
            Assert.Equal(1, read.ToArray()[0]);
            Assert.True((await writing).IsSuccess);
            Assert.Equal(2, (await client.ReadBytesAsync(40, 1))[0]);
        }
        await DeleteAsync(name);
        await _host.UnregisterAsync(disk.Name);
    }

    [Fact]
    public async Task A_mark_that_cannot_be_written_fails_the_write_and_the_next_one_tries_again()
    {
        var subject = await CreateAsync();
        await _host.UnregisterAsync(subject.Name);
        await ReplugAsync(subject.Below[0]);
        await using var client = await _host.OpenAsync(subject.Name);
        _disk.Intercept = io => io.Type == BdevIoType.Write && io.OffsetBlocks == Layout.IntentBlock ? BdevIoResult.FromErrno(Errno.EIO) : null;
        using var buffer = new TestBuffer(512);
        Assert.False((await client.WriteAsync(buffer, 9, 1)).IsSuccess);
        _disk.Intercept = null;
        Assert.True((await client.WriteAsync(buffer, 9, 1)).IsSuccess);
    }

    [Fact]
    public async Task Damaged_checksums_keep_it_down_until_the_data_is_taken_as_it_is()
    {
        var subject = await CreateAsync();
        byte[] data = Bytes(1);
        await using (var client = await _host.OpenAsync(subject.Name)) await client.WriteBytesAsync(0, data);
        await _host.UnregisterAsync(subject.Name);
        _disk.Corrupt((long)Layout.FirstGroupBlock * 512, 1);
        await ReplugAsync(subject.Below[0]);
        Assert.Null(_host.Registry.Find(subject.Name));
        Assert.Contains("rebuild", (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync(subject.Below[0], subject.Name))).Message);
        await CreateAsync(subject.Below[0], subject.Name, rebuild: true);
        await using (var client = await _host.OpenAsync(subject.Name)) Assert.Equal(data, await client.ReadBytesAsync(0, 1));
    }

    [Theory]
    [InlineData(9, "CRC32C")]
    [InlineData(0, null)]
    public async Task A_superblock_that_is_damaged_keeps_it_down(int at, string? because)
    {
        var subject = await CreateAsync();
        await _host.UnregisterAsync(subject.Name);
        _disk.Corrupt(at, 1);
        await ReplugAsync(subject.Below[0]);
        Assert.Null(_host.Registry.Find(subject.Name));
        // Without its magic it is no checksum disk, and may become one.
        if (because is null) await CreateAsync(subject.Below[0], subject.Name);
        else Assert.Contains(because, (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync(subject.Below[0], subject.Name))).Message);
    }

    [Fact]
    public async Task The_base_is_claimed_and_takes_the_disk_along()
    {
        var subject = await CreateAsync();
        var error = await Assert.ThrowsAnyAsync<Exception>(() => _host.OpenAsync(subject.Below[0]));
        Assert.Contains("acme-checksum", error.Message);
        await _host.UnregisterAsync(subject.Below[0]);
        Assert.Null(_host.Registry.Find(subject.Name));
    }

    [Fact]
    public async Task What_was_deleted_does_not_come_back()
    {
        var subject = await CreateAsync();
        await DeleteAsync(subject.Name);
        await ReplugAsync(subject.Below[0]);
        Assert.Null(_host.Registry.Find(subject.Name));
        await CreateAsync(subject.Below[0], subject.Name);
    }

    [Fact]
    public async Task What_cannot_be_is_refused()
    {
        await _host.RegisterAsync(new MemoryDisk("tiny", blockCount: 8));
        Assert.Contains("has 8 blocks", (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync("tiny", "x"))).Message);
        await _host.RegisterAsync(new MemoryDisk("plain"));
        Assert.Contains("holds no checksum disk", (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync("plain", "x", rebuild: true))).Message);
        Assert.Contains("64 bytes", (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync("plain", new string('x', 65)))).Message);
        Assert.Contains("there is a bdev", (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync("plain", "tiny"))).Message);
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync("nothing", "x"))).Errno);
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => DeleteAsync("plain"))).Errno);
        await CreateAsync("plain", "y");
    }
}
