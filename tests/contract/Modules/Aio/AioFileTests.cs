using Spindle.Bdev.Aio;
using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;

namespace Spindle.ContractTests.Modules.Aio;

/// <summary>What is particular to files: their contents, sizes, rights.</summary>
public sealed class AioFileTests(ContractHost host) : BdevTest(host)
{
    private Task<BdevSubject> CreateAsync(AioCreateParameters parameters) => Subjects.AioAsync(Host, parameters);

    private async Task AssertRefusedAsync(AioCreateParameters parameters, int errno, string words)
    {
        var e = await Assert.ThrowsAsync<SpindleException>(() => CreateAsync(parameters));
        Assert.Equal(errno, e.Errno);
        Assert.Contains(words, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_written_and_flushed_is_in_the_file()
    {
        string path = NewFile(AppContext.BaseDirectory, 64 * 4096);
        var client = await OpenAsync(Track((await CreateAsync(new() { Filename = path, BlockSize = 4096 })).Name));
        byte[] data = RandomBytes(new Random(1), 3 * 4096);
        await client.WriteBytesAsync(7, data);
        Assert.True((await client.FlushAsync(0, 64)).IsSuccess);
        byte[] file = await File.ReadAllBytesAsync(path, Cancel);
        Assert.True(file.AsSpan(7 * 4096, data.Length).SequenceEqual(data));
    }

    [Fact]
    public async Task A_read_only_one_refuses_writes()
    {
        string path = NewFile(AppContext.BaseDirectory, 64 * 4096);
        var client = await OpenAsync(Track((await CreateAsync(new() { Filename = path, BlockSize = 4096, Readonly = true, Fallocate = true })).Name));
        using var buffer = new TestBuffer(4096);
        Assert.True((await client.ReadAsync(buffer, 0, 1)).IsSuccess);
        Assert.Equal(-Errno.ENOTSUP, (await client.WriteAsync(buffer, 0, 1)).Error);
        Assert.Equal(-Errno.ENOTSUP, (await client.UnmapAsync(0, 1)).Error);
        Assert.Equal(-Errno.ENOTSUP, (await client.WriteZeroesAsync(0, 1)).Error);
    }

    [Fact]
    public async Task A_file_cut_short_fails_io_beyond_its_end_and_no_other()
    {
        string path = NewFile(AppContext.BaseDirectory, 64 * 4096);
        var client = await OpenAsync(Track((await CreateAsync(new() { Filename = path, BlockSize = 4096 })).Name));
        using (var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) file.SetLength(32 * 4096);
        using var buffer = new TestBuffer(8 * 4096);
        Assert.True((await client.ReadAsync(buffer, 24, 8)).IsSuccess);
        Assert.Equal(Errno.EIO, (await client.ReadAsync(buffer, 28, 8)).Result.ErrorNumber);
        Assert.Equal(Errno.EIO, (await client.ReadAsync(buffer, 40, 8)).Result.ErrorNumber);
        var e = await Assert.ThrowsAsync<SpindleException>(() => Host.OnAppAsync(() => Host.Modules.Aio.Rescan(new() { Name = client.Bdev.Name })));
        Assert.Equal(Errno.EBUSY, e.Errno);
    }

    [Fact]
    public async Task Unmap_gives_the_space_back()
    {
        string path = NewFile(AppContext.BaseDirectory, 256 * 4096);
        var client = await OpenAsync(Track((await CreateAsync(new() { Filename = path, BlockSize = 4096, Fallocate = true })).Name));
        Assert.SkipUnless(client.Bdev.Supports(BdevIoType.Unmap), "the filesystem cannot deallocate");
        byte[] data = RandomBytes(new Random(2), 256 * 4096);
        await client.WriteBytesAsync(0, data);
        Assert.True((await client.UnmapAsync(16, 128)).IsSuccess);
        Assert.True((await client.FlushAsync(0, 256)).IsSuccess);
        byte[] read = await client.ReadBytesAsync(0, 256);
        data.AsSpan(16 * 4096, 128 * 4096).Clear();
        Assert.Equal(data, read);
        Assert.Equal(256 * 4096, new FileInfo(path).Length);
    }

    [Fact]
    public async Task Blocks_too_small_for_direct_io_go_through_the_page_cache()
    {
        Assert.SkipUnless(Directory.Exists("/dev/shm"), "there is no /dev/shm");
        var client = await OpenAsync(Track((await CreateAsync(new() { Filename = NewFile("/dev/shm", 64 * 512), BlockSize = 512 })).Name));
        byte[] data = RandomBytes(new Random(3), 512);
        await client.WriteBytesAsync(1, data);
        Assert.Equal(data, await client.ReadBytesAsync(1, 1));
    }

    [Fact]
    public async Task What_does_not_fit_is_refused_with_its_reason()
    {
        string good = NewFile(AppContext.BaseDirectory, 64 * 4096), odd = NewFile(AppContext.BaseDirectory, 5000), empty = NewFile(AppContext.BaseDirectory, 0);
        await AssertRefusedAsync(new() { Filename = good + ".missing", BlockSize = 512 }, Errno.ENOENT, "filename");
        await AssertRefusedAsync(new() { Filename = odd, BlockSize = 4096 }, Errno.EINVAL, "not a multiple of block_size");
        await AssertRefusedAsync(new() { Filename = empty, BlockSize = 4096 }, Errno.EINVAL, "empty");
        foreach (uint blockSize in new[] { 1u, 256u, 1000u, 3072u, 131072u })
            await AssertRefusedAsync(new() { Filename = good, BlockSize = blockSize }, Errno.EINVAL, "block_size");
        await AssertRefusedAsync(new() { Filename = good, BlockSize = 4096, Nowait = true }, Errno.EINVAL, "nowait");
        string name = Track((await CreateAsync(new() { Filename = good, BlockSize = 4096 })).Name);
        await AssertRefusedAsync(new() { Filename = good, BlockSize = 4096, Name = name }, Errno.EEXIST, name);
        var e = await Assert.ThrowsAsync<SpindleException>(() => Host.OnAppAsync(() => Host.Modules.Aio.DeleteAsync(new() { Name = "nobody" })));
        Assert.Equal(Errno.ENODEV, e.Errno);
    }

    [Theory]
    [InlineData(512u)]
    [InlineData(1024u)]
    [InlineData(2048u)]
    [InlineData(4096u)]
    public async Task Every_block_size_works(uint blockSize)
    {
        var client = await OpenAsync(Track((await CreateAsync(new() { Filename = NewFile(AppContext.BaseDirectory, 64 * 4096), BlockSize = blockSize })).Name));
        Assert.Equal(64ul * 4096 / blockSize, client.Bdev.BlockCount);
        byte[] data = RandomBytes(new Random(4), 3 * blockSize);
        await client.WriteBytesAsync(client.Bdev.BlockCount - 3, data);
        Assert.Equal(data, await client.ReadBytesAsync(client.Bdev.BlockCount - 3, 3));
    }
}
