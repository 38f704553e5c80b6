using Spindle.Frontend.Nvmf.Tcp;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;
using Spindle.NvmfTests.Tcp.Bench;

namespace Spindle.NvmfTests.Tcp;

public class HandshakeTests
{
    [Theory]
    [InlineData(DigestTypes.None)]
    [InlineData(DigestTypes.HeaderDigest)]
    [InlineData(DigestTypes.DataDigest)]
    [InlineData(DigestTypes.HeaderDigest | DigestTypes.DataDigest)]
    public void ICResp_agrees_to_the_digests_asked_for(DigestTypes digests)
    {
        using var bench = new TcpBench(o => o.MaxIoSize = 65536);
        TestConnection connection = bench.Accept();
        connection.MemorySocket.Write(PduBuilder.ICReq(digests, maxr2t: 3, hpda: 31));
        bench.Run();
        ReceivedPdu pdu = Assert.Single(connection.Take());
        ICResp resp = pdu.As<ICResp>();
        Assert.Equal(PduType.ICResp, pdu.Type);
        Assert.Equal(digests, resp.Dgst);
        Assert.Equal(0, resp.Pfv);
        Assert.Equal(0, resp.Cpda);
        Assert.Equal(65536u, resp.Maxh2cdata);
        Assert.True(PduValidator.CheckICResp(resp, digests).IsValid);
    }

    [Fact]
    public void Reserved_digest_bits_are_not_agreed_to()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Accept();
        connection.MemorySocket.Write(PduBuilder.ICReq((DigestTypes)0xFC));
        bench.Run();
        Assert.Equal(DigestTypes.None, Assert.Single(connection.Take()).As<ICResp>().Dgst);
    }

    [Theory]
    [InlineData(1, 0, FatalErrorStatus.UnsupportedParameter, 8u)]
    [InlineData(0, 32, FatalErrorStatus.InvalidPduHeaderField, 10u)]
    public void A_wrong_ICReq_is_refused(int pfv, int hpda, FatalErrorStatus fes, uint fei)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Accept();
        byte[] request = PduBuilder.ICReq(pfv: (ushort)pfv, hpda: (byte)hpda);
        connection.MemorySocket.Write(request);
        Termination.Expect(bench, connection, fes, fei, request);
    }

    [Fact]
    public void A_second_ICReq_is_a_sequence_error()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        byte[] request = PduBuilder.ICReq();
        connection.MemorySocket.Write(request);
        Termination.Expect(bench, connection, FatalErrorStatus.PduSequenceError, 0, request[..8]);
    }

    [Fact]
    public void A_command_before_ICReq_is_a_sequence_error()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Accept();
        byte[] command = PduBuilder.CapsuleCmd(Pdus.Read(1, 0, 512));
        connection.MemorySocket.Write(command);
        Termination.Expect(bench, connection, FatalErrorStatus.PduSequenceError, 0, command[..8]);
    }

    [Fact]
    public void Silence_ends_the_connection_and_so_does_a_missing_Connect()
    {
        using var bench = new TcpBench(settings: new TcpSettings { HandshakeTimeout = TimeSpan.FromMilliseconds(30), SupervisionPeriod = TimeSpan.FromMilliseconds(5) });
        TestConnection silent = bench.Accept();
        TestConnection half = bench.Accept();
        half.MemorySocket.Write(PduBuilder.ICReq());
        TestConnection whole = bench.Connect();
        bench.RunUntilClosed(silent);
        bench.RunUntilClosed(half);
        Assert.Equal(2ul, bench.Part.Statistics.HandshakeTimeouts);
        Assert.Equal(0, bench.Thread.TimersRunning);
        Assert.Equal(NvmfQueuePairState.Enabled, whole.State);
        Assert.True(bench.Transport.MayAccept);
    }

    [Fact]
    public void Half_open_connections_are_limited()
    {
        using var bench = new TcpBench(settings: new TcpSettings { MaxHalfOpen = 0 });
        Assert.False(bench.Transport.MayAccept);
    }
}
