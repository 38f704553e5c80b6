using Spindle;
using Spindle.Bdevs;
using Spindle.Testing;

namespace Acme.CompressedFile.Tests;

public sealed class CompressedDiskTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("acme-compressed-").FullName;
    private TestHost _host = null!;
    private TestModule _module = null!;
    private LossyFile? _file;

    public async ValueTask InitializeAsync()
    {
        _host = await TestHost.StartAsync();
        _module = await _host.AddModuleAsync(new CompressedFileModule { Wrap = file => _file = new LossyFile(file) });
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopModulesAsync();
        await _host.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    public static TheoryData<string> Rules => [.. BdevConformance.RuleIds];

    [Theory, MemberData(nameof(Rules))]
    public async Task It_conforms(string rule)
    {
        if (await new BdevConformance(_host, CreateAsync).RunAsync(rule) is { } reason) Assert.Skip(reason);
    }

    private string PathOf(string name) => Path.Combine(_folder, name + ".disk");

    private Task<string> CreateAsync(string name, ulong sizeMib = 1) =>
        _module.CallAsync("acme_compressedfile_create", $$"""{ "name": "{{name}}", "filename": "{{PathOf(name)}}", "size_mib": {{sizeMib}} }""");

    private Task<string> DeleteAsync(string name) => _module.CallAsync("acme_compressedfile_delete", $$"""{ "name": "{{name}}" }""");

    private async Task<BdevSubject> CreateAsync()
    {
        string name = TestHost.NewName("disk");
        var random = new Random(1);
        await CreateAsync(name);
        return new BdevSubject(name)
        {
            DeleteAsync = () => DeleteAsync(name),
            Release = () => File.Delete(PathOf(name)),
            RestartAsync = async () =>
            {
                await DeleteAsync(name);
                await CreateAsync(name);
            },
            CutPowerAsync = async () =>
            {
                var file = _file!;
                file.PowerOff();
                await DeleteAsync(name);
                file.CutPower(_ => random.Next(2) == 0);
                await CreateAsync(name);
            },
        };
    }

    [Fact]
    public async Task What_repeats_takes_less_space_and_zeroes_take_none()
    {
        await CreateAsync("text", 4);
        long empty = new FileInfo(PathOf("text")).Length;
        await using (var client = await _host.OpenAsync("text"))
        {
            byte[] text = new byte[1 << 20];
            for (int i = 0; i < text.Length; i++) text[i] = (byte)"the quick brown fox jumps over the lazy dog "[i % 44];
            await client.WriteBytesAsync(0, text);
            await client.WriteBytesAsync(4096, new byte[1 << 20]);
            Assert.Equal(text, await client.ReadBytesAsync(0, 2048));
            Assert.True((await client.FlushAsync(0, 8192)).IsSuccess);
        }
        Assert.InRange(new FileInfo(PathOf("text")).Length - empty, 1, (1 << 20) / 3);
    }

    /// <summary>In the middle of a flush, with the map's sectors on the disk and the chunks' not, or the other way round.</summary>
    [Theory]
    [InlineData(1, true, true)]
    [InlineData(1, true, false)]
    [InlineData(1, false, true)]
    [InlineData(1, false, false)]
    [InlineData(2, true, true)]
    [InlineData(2, true, false)]
    [InlineData(2, false, true)]
    [InlineData(2, false, false)]
    public async Task A_power_cut_in_a_flush_leaves_each_chunk_old_or_new(int atFlush, bool keepsMap, bool keepsChunks)
    {
        await CreateAsync("cut");
        byte[][] versions = [new byte[65536], new byte[65536]];
        foreach (byte[] version in versions) new Random(version == versions[0] ? 5 : 6).NextBytes(version);
        var file = _file!;
        await using (var client = await _host.OpenAsync("cut"))
        {
            await client.WriteBytesAsync(0, versions[0]);
            Assert.True((await client.FlushAsync(0, 2048)).IsSuccess);
            await client.WriteBytesAsync(0, versions[1]);
            file.PowerOffAtFlush = atFlush;
            Assert.False((await client.FlushAsync(0, 2048)).IsSuccess);
        }
        await DeleteAsync("cut");
        file.CutPower(at => at < StoreFormat.UnitsOffset(64) ? keepsMap : keepsChunks);
        await CreateAsync("cut");
        await using (var client = await _host.OpenAsync("cut"))
            for (int chunk = 0; chunk < 4; chunk++)
            {
                byte[] now = await client.ReadBytesAsync((ulong)chunk * 32, 32);
                Assert.Contains(versions, version => version.AsSpan(chunk * 16384, 16384).SequenceEqual(now));
            }
    }

    /// <summary>The disk is written over many times its size, without a flush: the space of old versions comes back, and the file does not grow without end.</summary>
    [Fact]
    public async Task Space_comes_back_without_a_flush()
    {
        await CreateAsync("full");
        var random = new Random(2);
        byte[] last = new byte[1 << 20];
        await using (var client = await _host.OpenAsync("full"))
        {
            for (int i = 0; i < 40; i++)
            {
                random.NextBytes(last);
                await client.WriteBytesAsync(0, last);
            }
            Assert.Equal(last, await client.ReadBytesAsync(0, 2048));
        }
        Assert.InRange(new FileInfo(PathOf("full")).Length, 1 << 20, StoreFormat.UnitsOffset(64) + StoreFormat.MaxUnits(64) * StoreFormat.UnitSize);
        Assert.True(_file!.Flushes > 0);
    }

    [Fact]
    public async Task A_turned_bit_in_the_file_is_a_read_error_and_not_wrong_data()
    {
        await CreateAsync("bits");
        byte[] data = new byte[16384];
        new Random(3).NextBytes(data);
        await using (var client = await _host.OpenAsync("bits")) await client.WriteBytesAsync(0, data);
        await DeleteAsync("bits");
        await using (var file = File.OpenWrite(PathOf("bits")))
        {
            file.Position = StoreFormat.UnitsOffset(64) + 5000;
            file.WriteByte((byte)(data[5000] ^ 1));
        }
        await CreateAsync("bits");
        await using (var client = await _host.OpenAsync("bits"))
        {
            using var buffer = new TestBuffer(512);
            var outcome = await client.ReadAsync(buffer, 3, 1);
            Assert.Equal((BdevIoStatus.NvmeError, (byte)2, (byte)0x81), (outcome.Status, outcome.Result.NvmeStatusCodeType, outcome.Result.NvmeStatusCode));
            // What is written whole is good again.
            await client.WriteBytesAsync(0, data);
            Assert.Equal(data, await client.ReadBytesAsync(0, 32));
        }
    }

    /// <summary>After a flush that failed nobody knows what is durable, and no later one would say: the disk stops taking writes, and still reads.</summary>
    [Fact]
    public async Task After_a_flush_that_failed_nothing_is_written()
    {
        await CreateAsync("broken");
        await using (var client = await _host.OpenAsync("broken"))
        {
            await client.WriteBytesAsync(0, new byte[512].Select(_ => (byte)7).ToArray());
            _file!.FlushError = -Errno.EIO;
            Assert.False((await client.FlushAsync(0, 2048)).IsSuccess);
            _file.FlushError = 0;
            Assert.False((await client.FlushAsync(0, 2048)).IsSuccess);
            using var buffer = new TestBuffer(512);
            Assert.False((await client.WriteAsync(buffer, 100, 1)).IsSuccess);
            Assert.Equal(7, (await client.ReadBytesAsync(0, 1))[0]);
        }
    }

    [Theory]
    [InlineData("\"name\": \"x\", \"filename\": \"F\"", "size_mib")]
    [InlineData("\"name\": \"x\", \"filename\": \"F\", \"size_mib\": 16385", "size_mib is 16385")]
    [InlineData("\"name\": \"x\", \"filename\": \"\", \"size_mib\": 1", "filename is empty")]
    [InlineData("\"name\": \"\", \"filename\": \"F\", \"size_mib\": 1", "name is empty")]
    [InlineData("\"name\": \"x\", \"filename\": \"F/no/such/folder\", \"size_mib\": 1", "cannot be made")]
    public async Task What_cannot_be_is_refused(string parameters, string because)
    {
        var error = await Assert.ThrowsAsync<SpindleException>(() => _module.CallAsync("acme_compressedfile_create", $"{{ {parameters.Replace("F", PathOf("x"), StringComparison.Ordinal)} }}"));
        Assert.Contains(because, error.Message);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task A_file_of_another_kind_or_a_damaged_one_is_refused_and_left_alone()
    {
        await CreateAsync("one");
        await DeleteAsync("one");
        byte[] good = File.ReadAllBytes(PathOf("one"));
        foreach (var (at, value, because) in new (int, byte, string)[] { (0, 1, "no compressed disk"), (24, 1, "superblock is damaged"), (4096 + 16, 9, "chunk 0 is damaged") })
        {
            byte[] bad = [.. good];
            bad[at] = value;
            File.WriteAllBytes(PathOf("one"), bad);
            Assert.Contains(because, (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync("one"))).Message);
            Assert.Equal(bad, File.ReadAllBytes(PathOf("one")));
        }
        File.WriteAllBytes(PathOf("one"), good[..5000]);
        Assert.Contains("ends inside its map", (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync("one"))).Message);
        File.WriteAllBytes(PathOf("one"), good);
        Assert.Contains("size_mib is 2", (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync("one", 2))).Message);
        await CreateAsync("one");
        // One file is one disk.
        var taken = await Assert.ThrowsAsync<SpindleException>(() => _module.CallAsync("acme_compressedfile_create", $$"""{ "name": "two", "filename": "{{PathOf("one")}}" }"""));
        Assert.Contains("another disk has it", taken.Message);
    }

    [Fact]
    public async Task Two_chunks_that_name_the_same_unit_are_refused()
    {
        await CreateAsync("twice");
        byte[] data = new byte[32768];
        new Random(4).NextBytes(data);
        await using (var client = await _host.OpenAsync("twice")) await client.WriteBytesAsync(0, data);
        await DeleteAsync("twice");
        byte[] file = File.ReadAllBytes(PathOf("twice"));
        file.AsSpan(StoreFormat.MapOffset, ChunkMap.EntrySize).CopyTo(file.AsSpan(StoreFormat.MapOffset + ChunkMap.EntrySize));
        File.WriteAllBytes(PathOf("twice"), file);
        Assert.Contains("chunk 1 names unit 0", (await Assert.ThrowsAsync<SpindleException>(() => CreateAsync("twice"))).Message);
    }
}
