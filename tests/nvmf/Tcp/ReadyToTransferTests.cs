using Spindle.Frontend.Nvmf.Tcp;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;
using Spindle.NvmfTests.Tcp.Bench;
using R2TPdu = Spindle.Nvme.Tcp.R2T;

namespace Spindle.NvmfTests.Tcp;

public class ReadyToTransferTests
{
    private static R2TPdu Begin(TcpBench bench, TestConnection connection, ushort cid, uint block, uint length)
    {
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(cid, block, SglDescriptor.TransportDataBlock(length))));
        bench.Run();
        ReceivedPdu pdu = Assert.Single(connection.Take());
        Assert.Equal(PduType.R2T, pdu.Type);
        return pdu.As<R2TPdu>();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(512)]
    [InlineData(8192)]
    [InlineData(8193)]
    [InlineData(131072)]
    public void A_write_asks_for_its_data(int length)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        R2TPdu r2t = Begin(bench, connection, 7, 8, (uint)length);
        Assert.Equal((7, 0u, (uint)length), (r2t.Cccid, r2t.R2to, r2t.R2tl));
        byte[] data = Pdus.Data(length, 1);
        connection.MemorySocket.Write(PduBuilder.H2CData(7, r2t.Ttag, 0, data, last: true));
        bench.Run();
        Assert.True(connection.TakeResponse().Status.IsSuccess);
        Assert.Equal(data, bench.Disk.AsSpan(8 * 512, length));
    }

    [Fact]
    public void Data_may_come_in_many_PDUs()
    {
        using var bench = new TcpBench(o => o.IoUnitSize = 8192);
        TestConnection connection = bench.Connect();
        R2TPdu r2t = Begin(bench, connection, 7, 0, 100_000);
        byte[] data = Pdus.Data(100_000, 2);
        for (int offset = 0; offset < data.Length;)
        {
            int count = Math.Min(12_004, data.Length - offset);
            connection.MemorySocket.Write(PduBuilder.H2CData(7, r2t.Ttag, (uint)offset, data.AsSpan(offset, count), offset + count == data.Length));
            offset += count;
            Assert.Equal(0, connection.Executed);
            bench.Run();
        }
        Assert.True(connection.TakeResponse().Status.IsSuccess);
        Assert.Equal(data, bench.Disk.AsSpan(0, data.Length));
    }

    [Fact]
    public void Large_data_is_received_to_its_place()
    {
        // One receive for what the receive buffer holds, one for the rest of the data.
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        R2TPdu r2t = Begin(bench, connection, 1, 0, 131072);
        int receives = connection.MemorySocket.Receives;
        connection.MemorySocket.Write(PduBuilder.H2CData(1, r2t.Ttag, 0, Pdus.Data(131072, 3), last: true));
        bench.Run();
        Assert.Equal(receives + 2, connection.MemorySocket.Receives);
        Assert.True(connection.TakeResponse().Status.IsSuccess);
    }

    [Theory]
    [InlineData(0u, 1)]
    [InlineData(1u, 2)]
    [InlineData(2u, 3)]
    [InlineData(3u, 4)]
    [InlineData(100u, 4)]
    [InlineData(uint.MaxValue, 4)]
    public void As_many_R2Ts_of_a_command_as_the_host_allows_are_outstanding(uint maxr2t, int expected)
    {
        var settings = new TcpSettings { MaxR2TLength = 4096 };
        using var bench = new TcpBench(settings: settings);
        TestConnection connection = bench.Connect(maxr2t: maxr2t);
        byte[] data = Pdus.Data(40_000, 4);
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(7, 0, SglDescriptor.TransportDataBlock(40_000))));
        bench.Run();
        List<R2TPdu> open = [.. connection.Take().Select(p => p.As<R2TPdu>())];
        Assert.Equal(expected, open.Count);
        int seen = open.Count;
        var random = new Random(5);
        while (open.Count > 0)
        {
            Assert.Equal(open.Count, open.Select(r => r.Ttag).Distinct().Count());
            // They may be answered in any order.
            R2TPdu r2t = open[random.Next(open.Count)];
            open.Remove(r2t);
            connection.MemorySocket.Write(PduBuilder.H2CData(7, r2t.Ttag, r2t.R2to, data.AsSpan((int)r2t.R2to, (int)r2t.R2tl), last: true));
            bench.Run();
            foreach (ReceivedPdu pdu in connection.Take())
            {
                if (pdu.Type == PduType.CapsuleResp)
                {
                    Assert.Empty(open);
                    Assert.Equal(10, seen);
                    Assert.Equal(data, bench.Disk.AsSpan(0, data.Length));
                    return;
                }
                open.Add(pdu.As<R2TPdu>());
                seen++;
                Assert.True(open.Count <= expected);
            }
        }
        Assert.Fail("no response");
    }

    [Fact]
    public void Commands_of_a_connection_have_R2Ts_of_their_own()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        List<R2TPdu> r2ts = [.. Enumerable.Range(0, 20).Select(i => Begin(bench, connection, (ushort)(100 + i), (uint)(i * 16), 8192))];
        Assert.Equal(20, r2ts.Select(r => r.Ttag).Distinct().Count());
        r2ts.Reverse();
        foreach (R2TPdu r2t in r2ts)
        {
            connection.MemorySocket.Write(PduBuilder.H2CData(r2t.Cccid, r2t.Ttag, 0, Pdus.Data(8192, r2t.Cccid), last: true));
            bench.Run();
            Assert.Equal(r2t.Cccid, connection.TakeResponse().Cid);
            Assert.Equal(Pdus.Data(8192, r2t.Cccid), bench.Disk.AsSpan((r2t.Cccid - 100) * 8192, 8192));
        }
    }

    [Theory]
    [InlineData("ttag", FatalErrorStatus.InvalidPduHeaderField, 10u)]
    [InlineData("ttag of a free slot", FatalErrorStatus.InvalidPduHeaderField, 10u)]
    [InlineData("cccid", FatalErrorStatus.InvalidPduHeaderField, 8u)]
    [InlineData("datao", FatalErrorStatus.DataTransferOutOfRange, 0u)]
    [InlineData("more than asked for", FatalErrorStatus.DataTransferOutOfRange, 0u)]
    [InlineData("datal", FatalErrorStatus.InvalidPduHeaderField, 16u)]
    [InlineData("not marked as last", FatalErrorStatus.InvalidPduHeaderField, 1u)]
    [InlineData("marked as last too early", FatalErrorStatus.InvalidPduHeaderField, 1u)]
    [InlineData("not a dword", FatalErrorStatus.InvalidPduHeaderField, 16u)]
    public void Wrong_H2CData_is_fatal(string what, FatalErrorStatus fes, uint fei)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        R2TPdu r2t = Begin(bench, connection, 7, 0, 8192);
        byte[] data = new byte[8192];
        byte[] pdu = what switch
        {
            "ttag" => PduBuilder.H2CData(7, 0xFFFF, 0, data, last: true),
            "ttag of a free slot" => PduBuilder.H2CData(7, (ushort)(r2t.Ttag + 1), 0, data, last: true),
            "cccid" => PduBuilder.H2CData(8, r2t.Ttag, 0, data, last: true),
            "datao" => PduBuilder.H2CData(7, r2t.Ttag, 4, data.AsSpan(4), last: true),
            "more than asked for" => PduBuilder.H2CData(7, r2t.Ttag, 0, new byte[8196], last: true),
            "not marked as last" => PduBuilder.H2CData(7, r2t.Ttag, 0, data, last: false),
            "marked as last too early" => PduBuilder.H2CData(7, r2t.Ttag, 0, data.AsSpan(0, 4096), last: true),
            "not a dword" => PduBuilder.H2CData(7, r2t.Ttag, 0, data.AsSpan(0, 4095), last: false),
            _ => PduBuilder.H2CData(7, r2t.Ttag, 0, data, last: true),
        };
        if (what == "datal") BitConverter.TryWriteBytes(pdu.AsSpan(16), 8188);
        connection.MemorySocket.Write(pdu);
        Termination.Expect(bench, connection, fes, fei, pdu[..24]);
        Assert.Equal(0, connection.Executed);
    }

    [Fact]
    public void Data_of_a_transfer_that_is_complete_is_fatal()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        connection.Defers = true;
        R2TPdu r2t = Begin(bench, connection, 7, 0, 512);
        byte[] pdu = PduBuilder.H2CData(7, r2t.Ttag, 0, new byte[512], last: true);
        connection.MemorySocket.Write(pdu);
        bench.Run();
        Assert.Equal(1, connection.Deferred);
        connection.MemorySocket.Write(pdu);
        connection.Defers = false;
        connection.CompleteDeferred();
        bench.Run();
        connection.MemorySocket.Write([]);
        List<ReceivedPdu> pdus = connection.Take();
        Assert.Equal(PduType.C2HTermReq, pdus[^1].Type);
        Assert.Equal(FatalErrorStatus.InvalidPduHeaderField, pdus[^1].As<TermReq>().Fes);
    }

    [Fact]
    public void More_in_one_PDU_than_MAXH2CDATA_is_fatal()
    {
        using var bench = new TcpBench(o =>
        {
            o.MaxIoSize = 8192;
            o.InCapsuleDataSize = 4096;
        });
        TestConnection connection = bench.Connect();
        R2TPdu r2t = Begin(bench, connection, 7, 0, 8192);
        byte[] pdu = PduBuilder.H2CData(7, r2t.Ttag, 0, new byte[8196], last: true);
        connection.MemorySocket.Write(pdu);
        Termination.Expect(bench, connection, FatalErrorStatus.DataTransferLimitExceeded, 0, pdu[..8]);
    }

    [Fact]
    public void The_peer_may_vanish_before_its_data_came()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        R2TPdu r2t = Begin(bench, connection, 7, 0, 131072);
        connection.MemorySocket.Write(PduBuilder.H2CData(7, r2t.Ttag, 0, new byte[131072], last: true).AsSpan(0, 70_000));
        bench.Run();
        connection.MemorySocket.PeerClosed = true;
        bench.RunUntilClosed(connection);
        Assert.Equal(0, connection.Executed);
    }
}
