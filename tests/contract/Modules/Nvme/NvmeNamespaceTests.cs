using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Nvme;

/// <summary>Namespaces that come, go and change while the controller is attached, seen by its notices.</summary>
public sealed class NvmeNamespaceTests : NvmeTest
{
    [Fact]
    public async Task A_namespace_that_arrives_is_a_bdev_and_one_that_goes_takes_it_away()
    {
        await AttachAsync();
        string name = TestHost.NewName("more");
        await Disk.Target.CallMallocAsync("bdev_malloc_create", $$"""{"name":"{{name}}","num_blocks":1024,"block_size":4096}""");
        await Disk.Target.CallAsync("nvmf_subsystem_add_ns", $$$"""{"nqn":"{{{Disk.Nqn}}}","namespace":{"bdev_name":"{{{name}}}","nsid":5}}""");
        await BecomesAsync(() => Task.FromResult(Host.Registry.Find("Nvme0n5") is { BlockSize: 4096, BlockCount: 1024 }), "the new bdev");
        await using (var client = await Host.OpenAsync("Nvme0n5")) await client.WriteBytesAsync(1, new byte[4096]);
        await Disk.Target.CallAsync("nvmf_subsystem_remove_ns", $$"""{"nqn":"{{Disk.Nqn}}","nsid":5}""");
        await BecomesAsync(() => Task.FromResult(Host.Registry.Find("Nvme0n5") is null), "the end of the bdev");
        Assert.NotNull(Host.Registry.Find("Nvme0n1"));
        await Disk.Target.CallMallocAsync("bdev_malloc_delete", $$"""{"name":"{{name}}"}""");
    }

    [Fact]
    public async Task Another_namespace_in_its_place_is_another_bdev()
    {
        await AttachAsync();
        var uuid = Host.Registry.Find("Nvme0n1")!.Uuid;
        string name = TestHost.NewName("other");
        await Disk.Target.CallMallocAsync("bdev_malloc_create", $$"""{"name":"{{name}}","num_blocks":1024,"block_size":512}""");
        await Disk.Target.CallAsync("nvmf_subsystem_remove_ns", $$"""{"nqn":"{{Disk.Nqn}}","nsid":1}""");
        await Disk.Target.CallAsync("nvmf_subsystem_add_ns", $$$"""{"nqn":"{{{Disk.Nqn}}}","namespace":{"bdev_name":"{{{name}}}","nsid":1}}""");
        await BecomesAsync(() => Task.FromResult(Host.Registry.Find("Nvme0n1") is { BlockCount: 1024 } bdev && bdev.Uuid != uuid), "the other bdev");
        await Disk.Target.CallAsync("nvmf_subsystem_remove_ns", $$"""{"nqn":"{{Disk.Nqn}}","nsid":1}""");
        await Disk.Target.CallMallocAsync("bdev_malloc_delete", $$"""{"name":"{{name}}"}""");
    }

    [Fact]
    public async Task A_large_IO_is_split_at_the_controllers_limit()
    {
        await AttachAsync();
        var client = await OpenAsync();
        // 128 KiB is the target's MDTS.
        Assert.Equal(256u, client.Bdev.MaxRwBlocks);
        byte[] data = new byte[1 << 20];
        new Random(1).NextBytes(data);
        await client.WriteBytesAsync(3, data);
        Assert.Equal(data, await client.ReadBytesAsync(3, (ulong)data.Length / BlockSize));
    }

    [Theory]
    [InlineData(7, false)]
    [InlineData(7, true)]
    [InlineData(1500, true)]
    [InlineData(3000, false)]
    public async Task However_the_stream_is_cut_the_data_is_right(int most, bool digests)
    {
        var proxy = NewProxy();
        proxy.MostPerSend = most;
        await AttachAsync(proxy, digests ? ""","hdgst":true,"ddgst":true""" : "");
        var client = await OpenAsync();
        var random = new Random(most);
        for (int i = 0; i < 6; i++)
        {
            int blocks = random.Next(1, most < 100 ? 8 : 128);
            byte[] data = new byte[blocks * BlockSize];
            random.NextBytes(data);
            ulong at = (ulong)random.Next(1000);
            // In pieces of memory of odd lengths, at odd addresses.
            using var write = new TestBuffer(TestBuffer.OddSplit(random, data.Length, 5), 3);
            write.Set(data);
            Assert.True((await client.WriteAsync(write, at, (ulong)blocks)).IsSuccess);
            using var read = new TestBuffer(TestBuffer.OddSplit(random, data.Length, 7), 1);
            Assert.True((await client.ReadAsync(read, at, (ulong)blocks)).IsSuccess);
            Assert.Equal(data, read.ToArray());
        }
    }
}
