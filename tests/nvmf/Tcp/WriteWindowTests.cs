using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;
using Spindle.NvmfTests.Tcp.Bench;
using R2TPdu = Spindle.Nvme.Tcp.R2T;

namespace Spindle.NvmfTests.Tcp;

public class WriteWindowTests
{
    private const uint Large = 131072;

    private static TestConnection Write(TcpBench bench, ushort commands)
    {
        TestConnection connection = bench.Connect();
        for (ushort i = 0; i < commands; i++) connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(i, 0, SglDescriptor.TransportDataBlock(Large))));
        bench.Run();
        return connection;
    }

    [Fact]
    public void Writes_beyond_the_window_are_asked_for_in_order_as_others_have_their_data()
    {
        using var bench = new TcpBench();
        TestConnection connection = Write(bench, 10);
        List<R2TPdu> asked = [.. connection.Take().Select(p => p.As<R2TPdu>())];
        Assert.Equal([0, 1, 2, 3], asked.Select(r => (int)r.Cccid));
        Assert.Equal(4, bench.Part.Buffers.Taken);
        for (int next = 0; next < 10; next++)
        {
            connection.MemorySocket.Write(PduBuilder.H2CData(asked[next].Cccid, asked[next].Ttag, 0, new byte[Large], last: true));
            bench.Run();
            List<ReceivedPdu> pdus = connection.Take();
            Assert.Equal(next, pdus.Single(p => p.Type == PduType.CapsuleResp).As<CapsuleResp>().Rccqe.Cid);
            asked.AddRange(pdus.Where(p => p.Type == PduType.R2T).Select(p => p.As<R2TPdu>()));
            Assert.Equal(Math.Min(10, next + 5), asked.Count);
        }
        Assert.Equal(Enumerable.Range(0, 10), asked.Select(r => (int)r.Cccid));
        Assert.Equal(0, bench.Part.Buffers.Taken);
    }

    [Fact]
    public void A_write_that_is_being_carried_out_does_not_count()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        connection.Defers = true;
        for (ushort i = 0; i < 6; i++) connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(i, 0, SglDescriptor.TransportDataBlock(Large))));
        bench.Run();
        R2TPdu first = connection.Take()[0].As<R2TPdu>();
        connection.MemorySocket.Write(PduBuilder.H2CData(first.Cccid, first.Ttag, 0, new byte[Large], last: true));
        bench.Run();
        Assert.Equal(1, connection.Deferred);
        Assert.Equal(4, Assert.Single(connection.Take()).As<R2TPdu>().Cccid);
        connection.CompleteDeferred();
    }

    [Fact]
    public void A_write_that_waits_for_the_window_can_be_aborted()
    {
        using var bench = new TcpBench();
        TestConnection connection = Write(bench, 6);
        Assert.Equal(4, connection.Take().Count);
        Assert.True(connection.Abort(4));
        bench.Run();
        CapsuleResp response = Assert.Single(connection.Take()).As<CapsuleResp>();
        Assert.Equal(4, response.Rccqe.Cid);
        Assert.True(response.Rccqe.Status.Is(GenericStatusCode.CommandAbortRequested));
    }

    [Fact]
    public void A_connection_that_ends_lets_nobody_in_any_more_and_gives_everything_back()
    {
        using var bench = new TcpBench();
        TestConnection connection = Write(bench, 10);
        connection.Disconnect("test");
        bench.RunUntilClosed(connection);
        Assert.Equal(0, bench.Part.Buffers.Taken);
        Assert.Equal(0, connection.Pool.InUse);
    }
}
