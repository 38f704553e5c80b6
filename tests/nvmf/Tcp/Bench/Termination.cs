using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Tcp.Bench;

internal static class Termination
{
    /// <summary>The target answers with C2HTermReq, the wrong header in it, takes no more, and closes when the host does.</summary>
    public static void Expect(TcpBench bench, TestConnection connection, FatalErrorStatus fes, uint fei, byte[] header, DigestTypes digests = DigestTypes.None)
    {
        bench.Run();
        List<ReceivedPdu> pdus = connection.Take(digests);
        ReceivedPdu last = pdus[^1];
        Assert.Equal(PduType.C2HTermReq, last.Type);
        TermReq term = last.As<TermReq>();
        Assert.Equal((fes, fei), (term.Fes, term.Fei));
        Assert.Equal(header, last.Data.ToArray());
        int executed = connection.Executed;
        connection.MemorySocket.Write(new byte[512]);
        bench.Run();
        Assert.Equal(executed, connection.Executed);
        Assert.False(connection.MemorySocket.IsDisposed);
        connection.MemorySocket.PeerClosed = true;
        bench.RunUntilClosed(connection);
        Assert.Empty(connection.Take(digests));
        Assert.Equal(1ul, bench.Part.Statistics.Terminations);
    }
}
