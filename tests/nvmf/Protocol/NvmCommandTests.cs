using Spindle.Nvme.Commands;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Commands of the NVM command set: what they do to data, and their limits.</summary>
public class NvmCommandTests(SharedTarget shared) : ProtocolTest(shared)
{
    private const ulong Blocks = 131072;

    [Fact]
    public async Task Compare_tells_equal_from_different()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        NamespaceIo ns = new(controller.Io, 1, 512);
        byte[] data = Pattern(65536, 1);
        await ns.WriteAsync(20_000, data);
        Assert.True(await ns.CompareAsync(20_000, data));
        data[^1] ^= 1;
        Assert.False(await ns.CompareAsync(20_000, data));
        Assert.False(await ns.CompareAsync(20_127, data.AsMemory(65024)));
    }

    [Fact]
    public async Task Write_zeroes_clears_its_blocks_and_no_others()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        NamespaceIo ns = new(controller.Io, 1, 512);
        byte[] data = Pattern(8192, 2);
        await ns.WriteAsync(21_000, data);
        await ns.WriteZeroesAsync(21_002, 5);
        Array.Clear(data, 1024, 2560);
        Spindle.Nvme.Identify.IdentifyNamespace identify = await controller.IdentifyNamespaceAsync(1);
        if ((identify.Dlfeat & Spindle.Nvme.Identify.DeallocateFeatures.WriteZeroesDeallocate) != 0)
        {
            await ns.WriteZeroesAsync(21_008, 3, NvmIoFlags.Deallocate);
            Array.Clear(data, 4096, 1536);
        }
        Assert.Equal(data, await ns.ReadAsync(21_000, 16));
    }

    [Fact]
    public async Task Deallocated_blocks_read_as_dlfeat_says()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        NamespaceIo ns = new(controller.Io, 1, 512);
        byte[] data = Pattern(16384, 3);
        await ns.WriteAsync(22_000, data);
        await ns.DeallocateAsync(
            new DatasetManagementRange { StartingLba = 22_000, LengthInLogicalBlocks = 8 },
            new DatasetManagementRange { StartingLba = 22_016, LengthInLogicalBlocks = 8 });
        byte[] read = await ns.ReadAsync(22_000, 32);
        Assert.Equal(data.AsSpan(4096, 4096).ToArray(), read.AsSpan(4096, 4096).ToArray());
        Assert.Equal(data.AsSpan(12288).ToArray(), read.AsSpan(12288).ToArray());
        Spindle.Nvme.Identify.IdentifyNamespace identify = await controller.IdentifyNamespaceAsync(1);
        if (((byte)identify.Dlfeat & 7) == (byte)Spindle.Nvme.Identify.DeallocateFeatures.ReadsZeroes)
        {
            Assert.All(read.AsSpan(0, 4096).ToArray(), b => Assert.Equal(0, b));
        }
    }

    [Fact]
    public async Task Deallocate_takes_256_ranges_and_checks_each()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        NamespaceIo ns = new(controller.Io, 1, 512);
        await ns.DeallocateAsync([.. Enumerable.Range(0, 256).Select(i => new DatasetManagementRange { StartingLba = 23_000 + (ulong)i * 2, LengthInLogicalBlocks = 1 })]);
        NvmeStatusException e = await Assert.ThrowsAsync<NvmeStatusException>(() => ns.DeallocateAsync(
            new DatasetManagementRange { StartingLba = 23_000, LengthInLogicalBlocks = 1 },
            new DatasetManagementRange { StartingLba = ulong.MaxValue, LengthInLogicalBlocks = uint.MaxValue }));
        Assert.True(e.Status.Is(GenericStatusCode.LbaOutOfRange), $"status is {e.Status}");
    }

    [Fact]
    public async Task Flush_succeeds_on_a_namespace_and_on_all()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        await new NamespaceIo(controller.Io, 1, 512).FlushAsync();
        CompletionQueueEntry all = await controller.Io.SubmitAsync(NvmeCommands.Flush(NvmeConstants.BroadcastNsid));
        bool supported = (controller.Identify.Vwc & Spindle.Nvme.Identify.VolatileWriteCacheAttributes.FlushBroadcastSupported) == Spindle.Nvme.Identify.VolatileWriteCacheAttributes.FlushBroadcastSupported;
        Assert.True(all.Status.IsSuccess == supported || !supported, $"status is {all.Status}");
    }

    public static TheoryData<NvmOpcode, ulong, uint> OutOfRange()
    {
        TheoryData<NvmOpcode, ulong, uint> data = [];
        foreach (NvmOpcode opcode in (NvmOpcode[])[NvmOpcode.Read, NvmOpcode.Write, NvmOpcode.Compare, NvmOpcode.WriteZeroes])
        {
            data.Add(opcode, Blocks, 1);
            data.Add(opcode, Blocks - 1, 2);
            data.Add(opcode, ulong.MaxValue, 1);
            data.Add(opcode, ulong.MaxValue - 7, 16);
            data.Add(opcode, 1ul << 55, 8);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(OutOfRange))]
    public async Task Blocks_past_the_end_are_out_of_range(NvmOpcode opcode, ulong slba, uint blocks)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        byte[] buffer = new byte[blocks * 512];
        SubmissionQueueEntry sqe = NvmeCommands.Io(opcode, 1, slba, blocks);
        CompletionQueueEntry cqe = opcode switch
        {
            NvmOpcode.Read => await controller.Io.SubmitAsync(sqe, dataIn: buffer),
            NvmOpcode.WriteZeroes => await controller.Io.SubmitAsync(sqe),
            _ => await controller.Io.SubmitAsync(sqe, buffer),
        };
        Assert.True(cqe.Status.Is(GenericStatusCode.LbaOutOfRange), $"status is {cqe.Status}");
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(3u)]
    [InlineData(33u)]
    [InlineData(0xFFFF_FFFEu)]
    [InlineData(NvmeConstants.BroadcastNsid)]
    public async Task Namespaces_that_are_not_there_are_invalid(uint nsid)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        foreach (NvmOpcode opcode in (NvmOpcode[])[NvmOpcode.Read, NvmOpcode.Write, NvmOpcode.Compare])
        {
            byte[] buffer = new byte[512];
            SubmissionQueueEntry sqe = NvmeCommands.Io(opcode, nsid, 0, 1);
            CompletionQueueEntry cqe = opcode == NvmOpcode.Read ? await controller.Io.SubmitAsync(sqe, dataIn: buffer) : await controller.Io.SubmitAsync(sqe, buffer);
            Assert.True(cqe.Status.Is(GenericStatusCode.InvalidNamespaceOrFormat), $"{opcode}: status is {cqe.Status}");
        }
    }

    [Fact]
    public async Task Every_opcode_that_is_not_supported_is_refused()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        byte[] page = await controller.GetLogPageAsync(Spindle.Nvme.LogPages.LogPageIdentifier.CommandsSupportedAndEffects, 4096);
        Spindle.Nvme.LogPages.CommandsSupportedAndEffectsLogPage effects = Spindle.Nvme.WireBuffer.Read<Spindle.Nvme.LogPages.CommandsSupportedAndEffectsLogPage>(page);
        for (int opcode = 0; opcode < 256; opcode++)
        {
            if (opcode == 0x7F)
            {
                continue;
            }
            if ((effects.Iocs[opcode] & Spindle.Nvme.LogPages.CommandEffects.CommandSupported) == 0)
            {
                SubmissionQueueEntry sqe = new() { Opcode = (byte)opcode, Nsid = 1 };
                CompletionQueueEntry cqe = await controller.Io.SubmitAsync(sqe);
                Assert.True(cqe.Status.Is(GenericStatusCode.InvalidCommandOpcode), $"I/O opcode {opcode:X2}h: status is {cqe.Status}");
            }
            if ((effects.Acs[opcode] & Spindle.Nvme.LogPages.CommandEffects.CommandSupported) == 0)
            {
                SubmissionQueueEntry sqe = new() { Opcode = (byte)opcode };
                CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(sqe);
                Assert.True(cqe.Status.Is(GenericStatusCode.InvalidCommandOpcode), $"admin opcode {opcode:X2}h: status is {cqe.Status}");
            }
        }
    }

    [Theory]
    [InlineData(20261123)]
    public async Task Random_commands_leave_what_a_model_expects(int seed)
    {
        const int length = 512;
        const ulong first = 60_000;
        Random random = new(seed);
        byte[] model = new byte[length * 512];
        await using NvmeTcpController controller = await ConnectAsync(new QueueOptions { Digests = Spindle.Nvme.Tcp.DigestTypes.HeaderDigest | Spindle.Nvme.Tcp.DigestTypes.DataDigest, MaxR2T = 2 });
        NamespaceIo ns = new(controller.Io, 1, 512);
        await ns.WriteZeroesAsync(first, length);
        for (int step = 0; step < 600; step++)
        {
            int at = random.Next(length), blocks = random.Next(1, Math.Min(length - at, 200) + 1);
            Memory<byte> range = model.AsMemory(at * 512, blocks * 512);
            switch (random.Next(6))
            {
                case 0 or 1:
                    random.NextBytes(range.Span);
                    await (random.Next(2) == 0 ? ns.WriteAsync(first + (ulong)at, range) : ns.WriteByR2TAsync(first + (ulong)at, range));
                    break;
                case 2:
                    range.Span.Clear();
                    await ns.WriteZeroesAsync(first + (ulong)at, (uint)blocks);
                    break;
                case 3:
                    bool same = random.Next(2) == 0;
                    byte[] compared = range.ToArray();
                    compared[random.Next(compared.Length)] ^= same ? (byte)0 : (byte)1;
                    Assert.True(await ns.CompareAsync(first + (ulong)at, compared) == same, $"seed {seed}, step {step}: compare");
                    break;
                default:
                    byte[] read = await ns.ReadAsync(first + (ulong)at, (uint)blocks);
                    Assert.True(range.Span.SequenceEqual(read), $"seed {seed}, step {step}: read of {blocks} at {at}");
                    break;
            }
        }
    }

    [Fact]
    public async Task Large_blocks_work_like_small_ones()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        NamespaceIo ns = await NamespaceIo.OpenAsync(controller, 2);
        Assert.Equal(4096, ns.BlockSize);
        byte[] data = Pattern(131072, 5);
        await ns.WriteAsync(100, data);
        Assert.Equal(data, await ns.ReadAsync(100, 32));
    }
}
