using Spindle.Frontend.Nvmf.Tcp;
using Spindle.Host.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;
using Spindle.NvmfTests.Tcp.Bench;
using R2TPdu = Spindle.Nvme.Tcp.R2T;

namespace Spindle.NvmfTests.Tcp;

public class BufferShortageTests
{
    private static TcpBench Small(uint controlMessages = 2, uint large = 135168) => new(o => o.ControlMessages = controlMessages,
        new TcpSettings { WriteWindow = uint.MaxValue },
        iobuf: new IobufOptions { SmallPoolCount = 64, LargePoolCount = 8, LargeBufferSize = large });

    [Fact]
    public void Commands_wait_for_buffers_in_order_and_others_go_on()
    {
        using TcpBench bench = Small();
        TestConnection greedy = bench.Connect();
        TestConnection other = bench.Connect();
        for (ushort i = 0; i < 12; i++) greedy.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(i, 0, SglDescriptor.TransportDataBlock(131072))));
        bench.Run();
        List<R2TPdu> r2ts = [.. greedy.Take().Select(p => p.As<R2TPdu>())];
        Assert.Equal(8, r2ts.Count);
        // Small commands, of it and of others, need no large buffer.
        greedy.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(50, 0, 4096)));
        other.MemorySocket.Write(Pdus.InCapsuleWrite(51, 0, new byte[4096]));
        other.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Io(NvmOpcode.Flush, 52, 0, default)));
        bench.Run();
        Assert.Equal(PduType.C2HData, Assert.Single(greedy.Take()).Type);
        Assert.Equal(2, other.Take().Count);
        greedy.MemorySocket.Write(PduBuilder.H2CData(0, r2ts[0].Ttag, 0, new byte[131072], last: true));
        bench.Run();
        List<ReceivedPdu> pdus = greedy.Take();
        Assert.Equal(8, pdus.Single(p => p.Type == PduType.R2T).As<R2TPdu>().Cccid);
        Assert.Equal(0, pdus.Single(p => p.Type == PduType.CapsuleResp).As<CapsuleResp>().Rccqe.Cid);
    }

    [Fact]
    public void Commands_of_many_buffers_do_not_hold_what_the_others_need()
    {
        using TcpBench bench = Small(large: 32768);
        TestConnection first = bench.Connect();
        TestConnection second = bench.Connect();
        // 8 large buffers; each of these takes 4.
        for (ushort i = 0; i < 3; i++)
        {
            first.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(i, 0, SglDescriptor.TransportDataBlock(131072))));
            second.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(i, 0, SglDescriptor.TransportDataBlock(131072))));
        }
        int answered = 0;
        for (int round = 0; round < 20 && answered < 6; round++)
        {
            bench.Run();
            foreach (TestConnection connection in (TestConnection[])[first, second])
            {
                foreach (ReceivedPdu pdu in connection.Take())
                {
                    if (pdu.Type == PduType.CapsuleResp) answered++;
                    else connection.MemorySocket.Write(PduBuilder.H2CData(pdu.As<R2TPdu>().Cccid, pdu.As<R2TPdu>().Ttag, 0, new byte[131072], last: true));
                }
            }
        }
        Assert.Equal(6, answered);
    }

    [Fact]
    public void In_capsule_data_goes_on_when_the_pools_are_dry()
    {
        // All small buffers are held by commands whose data comes behind the capsule.
        using TcpBench bench = Small();
        TestConnection connection = bench.Connect();
        for (ushort i = 0; i < 70; i++) connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(i, 0, SglDescriptor.TransportDataBlock(8192))));
        bench.Run();
        List<R2TPdu> r2ts = [.. connection.Take().Select(p => p.As<R2TPdu>())];
        Assert.Equal(64, r2ts.Count);
        for (ushort i = 0; i < 10; i++) connection.MemorySocket.Write(Pdus.InCapsuleWrite((ushort)(80 + i), 100, Pdus.Data(4096, i)));
        foreach (R2TPdu r2t in r2ts) connection.MemorySocket.Write(PduBuilder.H2CData(r2t.Cccid, r2t.Ttag, 0, new byte[8192], last: true));
        bench.Run();
        List<ReceivedPdu> pdus = connection.Take();
        Assert.Equal(74, pdus.Count(p => p.Type == PduType.CapsuleResp));
        Assert.Equal(6, pdus.Count(p => p.Type == PduType.R2T));
    }

    [Fact]
    public void A_connection_that_finds_even_the_reserve_empty_goes_on_when_it_is_not()
    {
        using TcpBench bench = Small(controlMessages: 1);
        TestConnection hog = bench.Connect();
        for (ushort i = 0; i < 64; i++) hog.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(i, 0, SglDescriptor.TransportDataBlock(8192))));
        bench.Run();
        TestConnection[] connections = [bench.Connect(), bench.Connect(), bench.Connect()];
        foreach (TestConnection connection in connections)
        {
            connection.Defers = true;
            connection.MemorySocket.Write(Pdus.InCapsuleWrite(1, 0, Pdus.Data(4096, 1)));
            connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Io(NvmOpcode.Flush, 2, 0, default)));
        }
        bench.Run();
        Assert.Equal([2, 0, 0], connections.Select(c => c.Deferred));
        // One of those that wait goes away.
        connections[1].MemorySocket.PeerClosed = true;
        connections[1].Disconnect("test");
        bench.RunUntilClosed(connections[1]);
        connections[0].CompleteDeferred();
        bench.Run();
        Assert.Equal(2, connections[2].Deferred);
    }

    [Fact]
    public void A_command_that_waits_for_buffers_can_be_aborted()
    {
        using TcpBench bench = Small();
        TestConnection connection = bench.Connect();
        for (ushort i = 0; i < 10; i++) connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(i, 0, SglDescriptor.TransportDataBlock(131072))));
        bench.Run();
        List<R2TPdu> r2ts = [.. connection.Take().Select(p => p.As<R2TPdu>())];
        Assert.True(connection.Abort(8));
        Assert.False(connection.Abort(0));
        bench.Run();
        CompletionQueueEntry entry = connection.TakeResponse();
        Assert.Equal(8, entry.Cid);
        Assert.True(entry.Status.Is(GenericStatusCode.CommandAbortRequested));
        connection.MemorySocket.Write(PduBuilder.H2CData(0, r2ts[0].Ttag, 0, new byte[131072], last: true));
        bench.Run();
        Assert.Equal(9, connection.Take().Single(p => p.Type == PduType.R2T).As<R2TPdu>().Cccid);
    }

    [Fact]
    public void Waiting_commands_of_a_connection_that_ends_are_forgotten()
    {
        using TcpBench bench = Small(large: 32768);
        TestConnection connection = bench.Connect();
        TestConnection other = bench.Connect();
        for (ushort i = 0; i < 5; i++) connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(i, 0, SglDescriptor.TransportDataBlock(100_000))));
        bench.Run();
        other.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(9, 0, 131072)));
        bench.Run();
        Assert.Empty(other.Take());
        connection.MemorySocket.PeerClosed = true;
        bench.RunUntilClosed(connection);
        Assert.Equal(PduType.C2HData, Assert.Single(other.Take()).Type);
    }
}
