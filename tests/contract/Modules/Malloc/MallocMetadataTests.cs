using Spindle.Bdev.Malloc;
using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Dif;
using Spindle.Memory;

namespace Spindle.ContractTests.Modules.Malloc;

/// <summary>Separate metadata and protection information, checked on the way.</summary>
public sealed class MallocMetadataTests(ContractHost host) : BdevTest(host)
{
    private const uint Block = 512;

    private async Task<BdevClient> StartAsync(MallocCreateParameters parameters)
    {
        parameters.NumBlocks = 128;
        parameters.BlockSize = Block;
        var subject = await Subjects.MallocAsync(Host, parameters);
        return await OpenAsync(Track(subject.Name));
    }

    private static Task<Outcome> ReadAsync(BdevClient client, TestBuffer data, TestBuffer metadata, ulong offset, ulong blocks) =>
        client.SubmitAsync((c, done, state) => c.Read(data.Vectors, offset, blocks, done, state, metadata.Vectors[0].Address));

    private static Task<Outcome> WriteAsync(BdevClient client, TestBuffer data, TestBuffer metadata, ulong offset, ulong blocks) =>
        client.SubmitAsync((c, done, state) => c.Write(data.Vectors, offset, blocks, done, state, metadata.Vectors[0].Address));

    [Fact]
    public async Task Separate_metadata_is_kept_with_its_block()
    {
        var client = await StartAsync(new() { MdSize = 16 });
        using var data = new TestBuffer((int)Block * 8);
        using var metadata = new TestBuffer(16 * 8);
        byte[] kept = RandomBytes(new Random(1), 16 * 8);
        metadata.Set(kept);
        Assert.True((await WriteAsync(client, data, metadata, 10, 8)).IsSuccess);
        metadata.Fill(0);
        Assert.True((await ReadAsync(client, data, metadata, 10, 8)).IsSuccess);
        Assert.Equal(kept, metadata.ToArray());
        Assert.True((await ReadAsync(client, new TestBuffer((int)Block), metadata, 13, 1)).IsSuccess);
        Assert.Equal(kept[48..64], metadata.ToArray()[..16]);
        Assert.True((await client.WriteZeroesAsync(10, 4)).IsSuccess);
        Assert.True((await ReadAsync(client, data, metadata, 10, 8)).IsSuccess);
        Assert.Equal(new byte[64].Concat(kept[64..]), metadata.ToArray());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Wrong_protection_information_is_refused_and_changes_nothing(int type)
    {
        foreach (bool interleaved in new[] { false, true })
        {
            var client = await StartAsync(new() { MdSize = 8, MdInterleave = interleaved, DifType = type });
            var information = new ProtectionInformation(Block, 8, interleaved, false, (DifType)type, ProtectionInformation.DefaultFlags((DifType)type), DifFormat.Guard16);
            const int count = 4;
            int stride = (int)Block + (interleaved ? 8 : 0);
            using var data = new TestBuffer(stride * count);
            using var metadata = new TestBuffer(8 * count);
            using var read = new TestBuffer(stride * count);

            Task<Outcome> Write() => interleaved ? client.WriteAsync(data, 20, count) : WriteAsync(client, data, metadata, 20, count);
            Task<Outcome> Read() => interleaved ? client.ReadAsync(read, 20, count) : ReadAsync(client, read, metadata, 20, count);

            void Generate(ulong block)
            {
                unsafe
                {
                    information.Generate(data.Vectors[0].Pointer, interleaved ? null : metadata.Vectors[0].Pointer, count, block);
                }
            }

            Assert.True((await Read()).IsSuccess, "an unwritten block is not checked");
            data.Set(RandomBytes(new Random(2), (ulong)(stride * count)));
            Generate(20);
            Assert.True((await Write()).IsSuccess);
            Assert.True((await Read()).IsSuccess);
            Assert.Equal(data.ToArray(), read.ToArray());

            data.Vectors[0].Span[stride + 3] ^= 1;
            var outcome = await Write();
            Assert.Equal((BdevIoStatus.NvmeError, 2, 0x82), (outcome.Status, outcome.Result.NvmeStatusCodeType, outcome.Result.NvmeStatusCode));
            data.Vectors[0].Span[stride + 3] ^= 1;

            Generate(21);
            outcome = await Write();
            if (type == 3) Assert.True(outcome.IsSuccess);
            else Assert.Equal((BdevIoStatus.NvmeError, 2, 0x84), (outcome.Status, outcome.Result.NvmeStatusCodeType, outcome.Result.NvmeStatusCode));
            Assert.True((await Read()).IsSuccess, "what is stored still fits");

            Assert.True((await client.CopyAsync(60, 20, count)).IsSuccess);
            Assert.True((await (interleaved ? client.ReadAsync(read, 60, count) : ReadAsync(client, read, metadata, 60, count))).IsSuccess, "a copy fits its new place");
            Assert.True((await client.UnmapAsync(20, 2)).IsSuccess);
            Assert.True((await Read()).IsSuccess, "unmapped blocks are not checked");
        }
    }

    [Theory]
    [InlineData("num_blocks")]
    [InlineData("block_size")]
    [InlineData("physical_block_size")]
    [InlineData("md_size")]
    [InlineData("dif_type")]
    [InlineData("dif_pi_format")]
    [InlineData("numa_id")]
    public async Task A_parameter_that_does_not_fit_is_named(string parameter)
    {
        var p = new MallocCreateParameters { NumBlocks = 16, BlockSize = 512 };
        switch (parameter)
        {
            case "num_blocks": p.NumBlocks = ulong.MaxValue / 2; break;
            case "block_size": p.BlockSize = 513; break;
            case "physical_block_size": p.PhysicalBlockSize = 100; break;
            case "md_size": p.MdSize = 12; break;
            case "dif_type": p.DifType = 4; break;
            case "dif_pi_format": p.DifPiFormat = 3; break;
            case "numa_id": p.NumaId = 5; break;
        }
        var e = await Assert.ThrowsAsync<SpindleException>(() => Subjects.MallocAsync(Host, p));
        Assert.Equal(Errno.EINVAL, e.Errno);
        Assert.Contains(parameter, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Default_names_count_up_and_pass_over_taken_ones()
    {
        string first = await Host.OnAppAsync(() => Host.Modules.Malloc.CreateAsync(new() { NumBlocks = 16, BlockSize = 512 }, CancellationToken.None));
        Track(first);
        Assert.Matches("^Malloc[0-9]+$", first);
        int next = int.Parse(first[6..]) + 1;
        await Subjects.MallocAsync(Host, new() { Name = Track($"Malloc{next}"), NumBlocks = 16, BlockSize = 512 });
        string third = await Host.OnAppAsync(() => Host.Modules.Malloc.CreateAsync(new() { NumBlocks = 16, BlockSize = 512 }, CancellationToken.None));
        Assert.Equal($"Malloc{next + 1}", Track(third));
    }

    [Fact]
    public async Task A_huge_new_bdev_is_unmapped_without_being_touched()
    {
        // 8 GiB, of which nothing is written.
        var subject = await Subjects.MallocAsync(Host, new() { NumBlocks = 2 << 20, BlockSize = 4096 });
        var client = await OpenAsync(Track(subject.Name));
        long before = Environment.WorkingSet;
        Assert.True((await client.UnmapAsync(0, 2 << 20)).IsSuccess);
        Assert.True((await client.WriteZeroesAsync(0, 2 << 20)).IsSuccess);
        Assert.True(Environment.WorkingSet - before < 256 << 20, $"{(Environment.WorkingSet - before) >> 20} MiB were touched");
        byte[] data = RandomBytes(new Random(3), 4096);
        await client.WriteBytesAsync((2 << 20) - 1, data);
        Assert.Equal(data, await client.ReadBytesAsync((2 << 20) - 1, 1));
        Assert.True((await client.UnmapAsync((2 << 20) - 1, 1)).IsSuccess);
        Assert.Equal(new byte[4096], await client.ReadBytesAsync((2 << 20) - 1, 1));
    }
}
