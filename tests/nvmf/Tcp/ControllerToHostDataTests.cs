using Spindle.Frontend.Nvmf.Tcp;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;
using Spindle.NvmfTests.Tcp.Bench;

namespace Spindle.NvmfTests.Tcp;

public class ControllerToHostDataTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Success_may_come_with_the_last_data(bool c2hSuccess)
    {
        using var bench = new TcpBench(o => o.C2hSuccess = c2hSuccess);
        TestConnection connection = bench.Connect();
        new Random(1).NextBytes(bench.Disk);
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(3, 2, 4096)));
        bench.Run();
        List<ReceivedPdu> pdus = connection.Take();
        Assert.Equal(c2hSuccess ? 1 : 2, pdus.Count);
        C2HData data = pdus[0].As<C2HData>();
        Assert.Equal((3, 0u, 4096u), (data.Cccid, data.Datao, data.Datal));
        Assert.Equal(c2hSuccess ? PduFlags.LastPdu | PduFlags.Success : PduFlags.LastPdu, pdus[0].Flags);
        Assert.Equal(bench.Disk.AsSpan(1024, 4096), pdus[0].Data.Span);
        if (!c2hSuccess) Assert.True(pdus[1].As<CapsuleResp>().Rccqe.Status.IsSuccess);
    }

    [Fact]
    public void A_result_needs_a_response_capsule()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        connection.Result = 0x1234;
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(3, 0, 4096)));
        bench.Run();
        List<ReceivedPdu> pdus = connection.Take();
        Assert.Equal(PduFlags.LastPdu, pdus[0].Flags);
        Assert.Equal(0x1234u, pdus[1].As<CapsuleResp>().Rccqe.Cdw0);
    }

    [Fact]
    public void A_failed_read_sends_no_data()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        connection.Status = new StatusField(MediaStatusCode.UnrecoveredReadError);
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(3, 0, 4096)));
        bench.Run();
        Assert.True(connection.TakeResponse().Status.Is(MediaStatusCode.UnrecoveredReadError));
    }

    [Theory]
    [InlineData(4096u, 10_000u, 3)]
    [InlineData(4096u, 8192u, 2)]
    [InlineData(4096u, 4097u, 2)]
    [InlineData(4096u, 4096u, 1)]
    public void Long_data_is_split(uint max, uint length, int pieces)
    {
        const DigestTypes digests = DigestTypes.HeaderDigest | DigestTypes.DataDigest;
        using var bench = new TcpBench(settings: new TcpSettings { MaxC2HData = max });
        TestConnection connection = bench.Connect(digests);
        new Random(2).NextBytes(bench.Disk);
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(3, 0, length), digests: digests));
        bench.Run();
        List<ReceivedPdu> pdus = connection.Take(digests);
        Assert.Equal(pieces, pdus.Count);
        uint offset = 0;
        foreach (ReceivedPdu pdu in pdus)
        {
            Assert.Equal(offset, pdu.As<C2HData>().Datao);
            Assert.Equal(bench.Disk.AsSpan((int)offset, pdu.Data.Length), pdu.Data.Span);
            offset += (uint)pdu.Data.Length;
            Assert.Equal(offset == length ? PduFlags.LastPdu | PduFlags.Success : PduFlags.None, pdu.Flags & (PduFlags.LastPdu | PduFlags.Success));
        }
        Assert.Equal(length, offset);
    }

    [Fact]
    public void Data_stands_where_HPDA_asks_with_zeroes_before_it()
    {
        for (byte hpda = 0; hpda <= 31; hpda++)
        {
            foreach (DigestTypes digests in (ReadOnlySpan<DigestTypes>)[DigestTypes.None, DigestTypes.HeaderDigest])
            {
                using var bench = new TcpBench();
                TestConnection connection = bench.Connect(digests, hpda: hpda);
                new Random(3).NextBytes(bench.Disk);
                connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(3, 0, 512), digests: digests));
                bench.Run();
                ReceivedPdu pdu = Assert.Single(connection.Take(digests, hpda));
                Assert.Equal(0, pdu.Header.Pdo % ((hpda + 1) * 4));
                int header = 24 + (digests == 0 ? 0 : 4);
                Assert.All(pdu.Bytes[header..pdu.Header.Pdo], b => Assert.Equal(0, b));
                Assert.Equal(bench.Disk.AsSpan(0, 512), pdu.Data.Span);
            }
        }
    }

    [Fact]
    public void Data_in_many_buffers_comes_in_one_PDU()
    {
        using var bench = new TcpBench(o => o.IoUnitSize = 4096);
        TestConnection connection = bench.Connect(DigestTypes.DataDigest);
        new Random(4).NextBytes(bench.Disk);
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Read(3, 1, 131072)));
        bench.Run();
        ReceivedPdu pdu = Assert.Single(connection.Take(DigestTypes.DataDigest));
        Assert.Equal(bench.Disk.AsSpan(512, 131072), pdu.Data.Span);
    }

    [Fact]
    public void A_batch_of_reads_is_one_send()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        new Random(5).NextBytes(bench.Disk);
        byte[] batch = [.. Enumerable.Range(0, 100).SelectMany(i => PduBuilder.CapsuleCmd(Pdus.Read((ushort)i, (uint)i, 4096)))];
        connection.MemorySocket.Write(batch);
        bench.Run();
        connection.Take();
        // The first batches only make room; from then on, one.
        int sends = connection.MemorySocket.Sends;
        for (int round = 0; round < 8; round++)
        {
            sends = connection.MemorySocket.Sends;
            connection.MemorySocket.Write(batch);
            bench.Run();
            List<ReceivedPdu> pdus = connection.Take();
            Assert.Equal(100, pdus.Count);
            for (int i = 0; i < 100; i++) Assert.Equal(bench.Disk.AsSpan(pdus[i].As<C2HData>().Cccid * 512, 4096), pdus[i].Data.Span);
        }
        Assert.Equal(1, connection.MemorySocket.Sends - sends);
    }
}
