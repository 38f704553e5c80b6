using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Host.Bdevs;
using Spindle.Rpc;

namespace Spindle.ContractTests.Modules.Split;

public sealed class SplitTests(ContractHost host) : BdevTest(host)
{
    private Task<BdevSubject> MallocAsync(ulong blocks, Guid? uuid = null) => Subjects.MallocAsync(Host,
        new() { Name = Track(ContractHost.NewName("disk")), NumBlocks = blocks, BlockSize = 512, Uuid = uuid });

    private Task<string> SplitAsync(string name, uint count, ulong? mebibytes = null) => Host.Modules.Split.CallAsync("bdev_split_create",
        mebibytes is null ? $$"""{"base_bdev":"{{name}}","split_count":{{count}}}""" : $$"""{"base_bdev":"{{name}}","split_count":{{count}},"split_size_mb":{{mebibytes}}}""");

    private Task DeleteAsync(string name) => Host.Modules.Split.CallAsync("bdev_split_delete", $$"""{"base_bdev":"{{name}}"}""");

    [Fact]
    public async Task Parts_lie_one_after_another_and_the_tail_is_nobodys()
    {
        var disk = await MallocAsync(1001);
        Assert.Equal($"""["{disk.Name}p0","{disk.Name}p1","{disk.Name}p2"]""", await SplitAsync(disk.Name, 3));
        for (int part = 0; part < 3; part++)
        {
            var client = await OpenAsync($"{disk.Name}p{part}");
            Assert.Equal(333ul, client.Bdev.BlockCount);
            byte[] all = new byte[333 * 512];
            Array.Fill(all, (byte)(part + 1));
            await client.WriteBytesAsync(0, all);
            using var beyond = new TestBuffer(1024);
            Assert.Equal(-Errno.EINVAL, (await client.WriteAsync(beyond, 332, 2)).Error);
        }
        var whole = await OpenAsync(disk.Name, write: false);
        byte[] read = await whole.ReadBytesAsync(0, 1001);
        for (int block = 0; block < 1001; block++)
        {
            byte expected = block < 999 ? (byte)(block / 333 + 1) : (byte)0;
            Assert.True(read.AsSpan(block * 512, 512).IndexOfAnyExcept(expected) < 0, $"block {block}");
        }
    }

    [Fact]
    public async Task A_copy_stays_inside_its_part()
    {
        var disk = await MallocAsync(300);
        await SplitAsync(disk.Name, 3);
        var client = await OpenAsync($"{disk.Name}p1");
        byte[] data = RandomBytes(new Random(1), 10 * 512);
        await client.WriteBytesAsync(0, data);
        Assert.True((await client.CopyAsync(50, 0, 10)).IsSuccess);
        Assert.Equal(data, await client.ReadBytesAsync(50, 10));
        var whole = await OpenAsync(disk.Name, write: false);
        Assert.Equal(data, await whole.ReadBytesAsync(150, 10));
    }

    [Theory]
    [InlineData(4, 1, 2)] // 2 MiB hold two parts of 1 MiB
    [InlineData(1, 1, 1)]
    [InlineData(2, 0, 2)]
    public async Task Parts_of_a_given_size_are_as_many_as_fit(uint count, ulong mebibytes, int made)
    {
        var disk = await MallocAsync(4096 + 100);
        await SplitAsync(disk.Name, count, mebibytes);
        Assert.Equal(made, Host.Registry.All.Count(b => b.BaseBdevNames.Contains(disk.Name)));
        if (mebibytes > 0) Assert.Equal(2048ul, Host.Registry.Find(disk.Name + "p0")!.BlockCount);
        await DeleteAsync(disk.Name);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1001, 0)]
    [InlineData(1, 1)]
    [InlineData(1, 1ul << 44)]
    [InlineData(1, ulong.MaxValue)]
    [InlineData(uint.MaxValue, 0)]
    public async Task What_does_not_fit_is_refused_with_spdks_words_and_leaves_nothing(uint count, ulong mebibytes)
    {
        var disk = await MallocAsync(1000);
        var refused = await Assert.ThrowsAsync<RpcException>(() => SplitAsync(disk.Name, count, mebibytes));
        Assert.Equal(RpcErrorCode.InvalidParams, refused.Code);
        Assert.StartsWith($"Failed to create {count} split bdevs from '{disk.Name}': Invalid argument", refused.Message);
        Assert.Equal(BdevClaimType.None, BdevRegistry.GetClaim(Host.Registry.Find(disk.Name)!).Type);
        Assert.DoesNotContain(await Host.Modules.SavedAsync(Host.Modules.Split), call => call.Contains(disk.Name, StringComparison.Ordinal));
        await SplitAsync(disk.Name, 2);
        await DeleteAsync(disk.Name);
    }

    [Fact]
    public async Task A_name_of_a_part_that_is_taken_leaves_no_part()
    {
        var disk = await MallocAsync(1000);
        await Subjects.MallocAsync(Host, new() { Name = Track(disk.Name + "p1"), NumBlocks = 8, BlockSize = 512 });
        await Assert.ThrowsAsync<RpcException>(() => SplitAsync(disk.Name, 3));
        Assert.Null(Host.Registry.Find(disk.Name + "p0"));
        Assert.Equal(BdevClaimType.None, BdevRegistry.GetClaim(Host.Registry.Find(disk.Name)!).Type);
    }

    [Fact]
    public async Task The_parts_uuid_is_the_one_that_spdk_derives()
    {
        // Observed in SPDK v26.01: a bdev with the first UUID, whose part of 102,400 blocks from 0 had the second.
        var disk = await MallocAsync(102400, Guid.Parse("78432c29-9ac3-425f-bd81-d528749d3f6b"));
        await SplitAsync(disk.Name, 1);
        Assert.Equal(Guid.Parse(Derived), Host.Registry.Find(disk.Name + "p0")!.Uuid);
        await DeleteAsync(disk.Name);
    }

    private const string Derived = "53fa8e71-458a-5920-a507-55eafb4bf983";

    [Fact]
    public async Task Asked_for_before_the_base_the_parts_come_with_it_and_go_with_it_under_load()
    {
        string name = ContractHost.NewName("later");
        Assert.Equal("[]", await SplitAsync(name, 2));
        Assert.Contains($"bdev_split_create base_bdev={name} split_count=2 split_size_mb=0", await Host.Modules.SavedAsync(Host.Modules.Split));
        var disk = await Subjects.MallocAsync(Host, new() { Name = name, NumBlocks = 1000, BlockSize = 512 });
        await Eventually.IsTrueAsync(() => Host.Registry.Find(name + "p1") is not null, "the parts");
        var clients = new[] { await OpenAsync(name + "p0", closeWhenRemoved: true), await OpenAsync(name + "p1", worker: 1, closeWhenRemoved: true) };
        using var buffer = new TestBuffer(512);
        var load = clients.Select(client => Task.Run(async () =>
        {
            while ((await client.ReadAsync(buffer, 7, 1)).IsSuccess) { }
        })).ToArray();
        await disk.DeleteAsync!().WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        await Task.WhenAll(load).WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        Assert.Null(Host.Registry.Find(name + "p0"));
        Assert.Null(Host.Registry.Find(name + "p1"));
        Assert.DoesNotContain(await Host.Modules.SavedAsync(Host.Modules.Split), call => call.Contains(name, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_parts_keep_their_size_when_the_base_grows()
    {
        var disk = await Subjects.NullAsync(Host, new() { Name = Track(ContractHost.NewName("null")), NumBlocks = 4096, BlockSize = 512 });
        await SplitAsync(disk.Name, 2);
        await disk.GrowAsync!(4096);
        await Host.OnAppAsync(() => Task.Delay(20));
        Assert.Equal(2048ul, Host.Registry.Find(disk.Name + "p1")!.BlockCount);
        var client = await OpenAsync(disk.Name + "p1");
        await client.WriteBytesAsync(2047, new byte[512]);
        await client.DisposeAsync();
        await DeleteAsync(disk.Name);
    }

    [Fact]
    public async Task A_bdev_is_split_once_and_unsplit_once()
    {
        var disk = await MallocAsync(1000);
        await SplitAsync(disk.Name, 2);
        Assert.Contains("File exists", (await Assert.ThrowsAsync<RpcException>(() => SplitAsync(disk.Name, 2))).Message);
        await DeleteAsync(disk.Name);
        Assert.StartsWith("No such file or directory", (await Assert.ThrowsAsync<RpcException>(() => DeleteAsync(disk.Name))).Message);
        Assert.Null(Host.Registry.Find(disk.Name + "p0"));
    }
}
