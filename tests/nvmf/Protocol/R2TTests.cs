using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Data to the controller by R2T and H2CData (NVMe TCP Transport Specification 1.0, sections 3.6.2.8 and 3.6.2.10).</summary>
public class R2TTests(SharedTarget shared) : ProtocolTest(shared)
{
    private static SubmissionQueueEntry Write(ushort cid, uint bytes, ulong slba = 4000) =>
        RawIoQueue.WithTransport(NvmeCommands.Io(NvmOpcode.Write, 1, slba, bytes / 512) with { Cid = cid }, bytes);

    [Theory]
    [InlineData(1u)]
    [InlineData(4u)]
    [InlineData(16u)]
    public async Task Writes_of_every_size_arrive(uint maxR2T)
    {
        await using NvmeTcpController controller = await ConnectAsync(new QueueOptions { MaxR2T = maxR2T });
        NamespaceIo ns = new(controller.Io, 1, 512);
        foreach (int blocks in (int[])[1, 7, 9, 16, 63, 64, 65, 128, 255, 256])
        {
            byte[] data = Pattern(blocks * 512, blocks);
            await ns.WriteByR2TAsync(4000, data);
            Assert.Equal(data, await ns.ReadAsync(4000, (uint)blocks));
        }
        Assert.True(controller.Io.R2TCount >= 10);
    }

    [Fact]
    public async Task Controller_waits_for_the_data_of_its_R2Ts_before_it_asks_for_more_than_maxr2t()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target, maxR2T: 1);
        await queue.SendAsync(Write(1, 131072));
        R2T first = (await queue.ExpectAsync(PduType.R2T)).As<R2T>();
        if (first.R2tl < 131072)
        {
            await Assert.ThrowsAsync<TimeoutException>(() => queue.Connection.ReceiveAsync(TimeSpan.FromMilliseconds(300)));
        }
    }

    [Fact]
    public async Task Data_of_an_R2T_may_come_in_many_pieces()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        byte[] data = Pattern(65536, 1);
        await queue.SendAsync(Write(1, 65536));
        uint sent = 0;
        while (sent < 65536)
        {
            R2T r2t = (await queue.ExpectAsync(PduType.R2T)).As<R2T>();
            Assert.Equal(sent, r2t.R2to);
            Assert.Equal(1, r2t.Cccid);
            uint end = r2t.R2to + r2t.R2tl;
            Random random = new(3);
            while (sent < end)
            {
                uint piece = Math.Min(end - sent, (uint)random.Next(1, 500) * 4);
                await queue.SendDataAsync(1, r2t.Ttag, sent, data.AsSpan((int)sent, (int)piece), last: sent + piece == end);
                sent += piece;
            }
        }
        Assert.True((await queue.ExpectCompletionAsync(1)).Status.IsSuccess);
        await using NvmeTcpController controller = await ConnectAsync();
        Assert.Equal(data, await new NamespaceIo(controller.Io, 1, 512).ReadAsync(4000, 128));
    }

    [Fact]
    public async Task Data_of_several_commands_may_be_interleaved()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        const int commands = 8, length = 16384;
        Dictionary<ushort, R2T> r2ts = [];
        for (ushort cid = 0; cid < commands; cid++)
        {
            await queue.SendAsync(Write(cid, length, 4500 + cid * 32ul));
        }
        for (int i = 0; i < commands; i++)
        {
            R2T r2t = (await queue.ExpectAsync(PduType.R2T)).As<R2T>();
            Assert.Equal((uint)length, r2t.R2tl);
            Assert.True(r2ts.TryAdd(r2t.Cccid, r2t));
        }
        Assert.Equal(commands, r2ts.Values.Select(r => r.Ttag).Distinct().Count());
        for (uint offset = 0; offset < length; offset += 4096)
        {
            for (int cid = commands - 1; cid >= 0; cid--)
            {
                await queue.SendDataAsync((ushort)cid, r2ts[(ushort)cid].Ttag, offset, Pattern(length, cid).AsSpan((int)offset, 4096), last: offset + 4096 == length);
            }
        }
        for (int i = 0; i < commands; i++)
        {
            Assert.True((await queue.ExpectAsync(PduType.CapsuleResp)).As<CapsuleResp>().Rccqe.Status.IsSuccess);
        }
        await using NvmeTcpController controller = await ConnectAsync();
        for (int cid = 0; cid < commands; cid++)
        {
            Assert.Equal(Pattern(length, cid), await new NamespaceIo(controller.Io, 1, 512).ReadAsync(4500 + (ulong)cid * 32, 32));
        }
    }

    public static TheoryData<string, FatalErrorStatus> WrongData() => new()
    {
        { "other TTAG", FatalErrorStatus.InvalidPduHeaderField },
        { "other CCCID", FatalErrorStatus.InvalidPduHeaderField },
        { "DATAO ahead", FatalErrorStatus.DataTransferOutOfRange },
        { "DATAO largest", FatalErrorStatus.DataTransferOutOfRange },
        { "longer than the R2T", FatalErrorStatus.DataTransferOutOfRange },
        { "DATAL other than PLEN", FatalErrorStatus.InvalidPduHeaderField },
        { "DATAL largest", FatalErrorStatus.InvalidPduHeaderField },
        { "LAST too early", FatalErrorStatus.InvalidPduHeaderField },
    };

    [Theory]
    [MemberData(nameof(WrongData))]
    public async Task Data_that_does_not_answer_its_R2T_is_fatal(string what, FatalErrorStatus fes)
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        await queue.SendAsync(Write(5, 16384));
        R2T r2t = (await queue.ExpectAsync(PduType.R2T)).As<R2T>();
        byte[] data = Pattern((int)r2t.R2tl, 1);
        byte[] pdu = PduBuilder.H2CData(5, r2t.Ttag, 0, data, last: true, cpda: queue.Connection.Cpda);
        switch (what)
        {
            case "other TTAG": pdu[10] ^= 0xFF; break;
            case "other CCCID": pdu[8] ^= 0xFF; break;
            case "DATAO ahead": pdu[13] = 0x10; break;
            case "DATAO largest": BitConverter.TryWriteBytes(pdu.AsSpan(12), uint.MaxValue - 3); break;
            case "longer than the R2T": pdu = PduBuilder.H2CData(5, r2t.Ttag, 0, new byte[data.Length + 4], last: true, cpda: queue.Connection.Cpda); break;
            case "DATAL other than PLEN": pdu[17] ^= 0x10; break;
            case "DATAL largest": BitConverter.TryWriteBytes(pdu.AsSpan(16), uint.MaxValue - 3); break;
            case "LAST too early": pdu = PduBuilder.H2CData(5, r2t.Ttag, 0, data.AsSpan(0, 4096), last: true, cpda: queue.Connection.Cpda); break;
        }
        await queue.Connection.SendAsync(pdu);
        TermReq term = await queue.Connection.ExpectTerminationAsync();
        // A transfer longer than asked for may also be seen as a limit exceeded.
        Assert.True(term.Fes == fes || (what == "longer than the R2T" && term.Fes == FatalErrorStatus.DataTransferLimitExceeded) || (what == "LAST too early" && term.Fes == FatalErrorStatus.PduSequenceError)
            || (what.StartsWith("DATAL") && term.Fes == FatalErrorStatus.DataTransferOutOfRange), $"FES is {term.Fes}");
    }

    [Fact]
    public async Task Data_that_nobody_asked_for_is_fatal()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        await queue.SendDataAsync(1, 0, 0, new byte[512], last: true);
        TermReq term = await queue.Connection.ExpectTerminationAsync();
        Assert.True(term.Fes is FatalErrorStatus.InvalidPduHeaderField or FatalErrorStatus.PduSequenceError, $"FES is {term.Fes}");
    }

    [Fact]
    public async Task H2CData_above_maxh2cdata_is_fatal()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        await queue.SendAsync(Write(5, 131072));
        R2T r2t = (await queue.ExpectAsync(PduType.R2T)).As<R2T>();
        byte[] pdu = PduBuilder.H2CData(5, r2t.Ttag, 0, new byte[queue.Connection.Maxh2cdata + 4], last: true, cpda: queue.Connection.Cpda);
        await queue.Connection.SendAsync(pdu);
        TermReq term = await queue.Connection.ExpectTerminationAsync();
        Assert.True(term.Fes is FatalErrorStatus.DataTransferLimitExceeded or FatalErrorStatus.DataTransferOutOfRange, $"FES is {term.Fes}");
    }

    [Fact]
    public async Task Host_that_leaves_in_the_middle_of_a_transfer_harms_nobody()
    {
        for (int i = 0; i < 10; i++)
        {
            await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
            await queue.SendAsync(Write(1, 131072));
            await queue.SendAsync(Write(2, 65536));
            R2T r2t = (await queue.ExpectAsync(PduType.R2T)).As<R2T>();
            byte[] pdu = PduBuilder.H2CData(r2t.Cccid, r2t.Ttag, 0, new byte[4096], last: false, cpda: queue.Connection.Cpda);
            await queue.Connection.SendAsync(pdu.AsMemory(0, 1000 + i * 300));
            if (i % 2 == 0)
            {
                queue.Connection.Reset();
            }
        }
    }
}
