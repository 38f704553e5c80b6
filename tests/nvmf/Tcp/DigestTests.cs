using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;
using Spindle.NvmfTests.Tcp.Bench;
using R2TPdu = Spindle.Nvme.Tcp.R2T;

namespace Spindle.NvmfTests.Tcp;

public class DigestTests
{
    private const DigestTypes Both = DigestTypes.HeaderDigest | DigestTypes.DataDigest;

    [Theory]
    [InlineData(0)]
    [InlineData(31)]
    public void A_wrong_header_digest_ends_the_connection(int bit)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect(Both);
        byte[] pdu = PduBuilder.CapsuleCmd(Pdus.Read(1, 0, 512), digests: Both);
        pdu[72 + bit / 8] ^= (byte)(1 << (bit % 8));
        connection.MemorySocket.Write(pdu);
        Termination.Expect(bench, connection, FatalErrorStatus.HeaderDigestError, BitConverter.ToUInt32(pdu, 72), pdu[..72], Both);
        Assert.Equal(0, connection.Executed);
    }

    [Theory]
    [InlineData(72)]
    [InlineData(64)]
    [InlineData(8)]
    public void A_changed_header_is_noticed(int at)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect(Both);
        byte[] pdu = PduBuilder.CapsuleCmd(Pdus.Read(1, 0, 512), digests: Both);
        pdu[at] ^= 0x40;
        connection.MemorySocket.Write(pdu);
        bench.Run();
        Assert.Equal(FatalErrorStatus.HeaderDigestError, connection.Take(Both)[^1].As<TermReq>().Fes);
    }

    [Fact]
    public void A_wrong_data_digest_fails_the_command_and_not_the_connection()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect(Both);
        byte[] pdu = Pdus.InCapsuleWrite(1, 0, Pdus.Data(4096, 1), Both);
        pdu[^5] ^= 1;
        connection.MemorySocket.Write(pdu);
        connection.MemorySocket.Write(Pdus.InCapsuleWrite(2, 8, Pdus.Data(4096, 2), Both));
        bench.Run();
        List<ReceivedPdu> pdus = connection.Take(Both);
        Assert.Equal(2, pdus.Count);
        StatusField status = pdus[0].As<CapsuleResp>().Rccqe.Status;
        Assert.True(status.Is(GenericStatusCode.TransientTransportError));
        Assert.False(status.DoNotRetry);
        Assert.True(pdus[1].As<CapsuleResp>().Rccqe.Status.IsSuccess);
        Assert.Equal(1, connection.Executed);
        Assert.Equal(1ul, bench.Part.Statistics.DataDigestErrors);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_wrong_digest_in_one_of_several_data_PDUs_fails_the_command_once_all_have_come(int wrong)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect(Both);
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(7, 0, SglDescriptor.TransportDataBlock(3 * 4096)), digests: Both));
        bench.Run();
        R2TPdu r2t = Assert.Single(connection.Take(Both)).As<R2TPdu>();
        for (int i = 0; i < 3; i++)
        {
            byte[] pdu = PduBuilder.H2CData(7, r2t.Ttag, (uint)i * 4096, Pdus.Data(4096, i), i == 2, Both);
            if (i == wrong) pdu[^1] ^= 0x80;
            Assert.Empty(connection.Take(Both));
            connection.MemorySocket.Write(pdu);
            bench.Run();
        }
        Assert.True(connection.TakeResponse(Both).Status.Is(GenericStatusCode.TransientTransportError));
        Assert.Equal(0, connection.Executed);
    }

    [Fact]
    public void Digests_hold_whatever_way_the_data_came()
    {
        // Part of it through the receive buffer, part of it straight to several data buffers.
        using var bench = new TcpBench(o => o.IoUnitSize = 4096);
        TestConnection connection = bench.Connect(Both);
        byte[] data = Pdus.Data(131072, 6);
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(7, 0, SglDescriptor.TransportDataBlock(131072)), digests: Both));
        bench.Run();
        R2TPdu r2t = Assert.Single(connection.Take(Both)).As<R2TPdu>();
        connection.MemorySocket.Write(PduBuilder.H2CData(7, r2t.Ttag, 0, data, last: true, Both));
        bench.Run();
        Assert.True(connection.TakeResponse(Both).Status.IsSuccess);
        Assert.Equal(data, bench.Disk.AsSpan(0, data.Length));
    }
}
