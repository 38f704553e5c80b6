using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;
using Spindle.NvmfTests.Tcp.Bench;

namespace Spindle.NvmfTests.Tcp;

public class InCapsuleDataTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(4096)]
    public void A_write_with_its_data_in_the_capsule_needs_no_R2T(int length)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        byte[] data = Pdus.Data(length, 1);
        connection.MemorySocket.Write(Pdus.InCapsuleWrite(9, 4, data));
        bench.Run();
        CompletionQueueEntry response = connection.TakeResponse();
        Assert.Equal(9, response.Cid);
        Assert.True(response.Status.IsSuccess);
        Assert.Equal(data, bench.Disk.AsSpan(4 * 512, length));
    }

    [Fact]
    public void Many_capsules_of_one_receive_are_answered_by_one_send()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        byte[] data = Pdus.Data(512, 2);
        byte[] batch = [.. Enumerable.Range(0, 32).SelectMany(i => Pdus.InCapsuleWrite((ushort)i, (uint)i, data))];
        // The receive that waits was begun before this was an I/O queue.
        connection.MemorySocket.Write(Pdus.InCapsuleWrite(99, 0, data));
        bench.Run();
        connection.Take();
        int sends = connection.MemorySocket.Sends;
        int receives = connection.MemorySocket.Receives;
        connection.MemorySocket.Write(batch);
        bench.Run();
        Assert.Equal(32, connection.Take().Count);
        Assert.Equal(sends + 1, connection.MemorySocket.Sends);
        Assert.Equal(receives + 1, connection.MemorySocket.Receives);
    }

    [Fact]
    public void An_offset_into_the_capsule_is_honoured()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect(DigestTypes.DataDigest);
        byte[] data = Pdus.Data(1024, 3);
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(1, 0, SglDescriptor.InCapsule(100, 600)), data, DigestTypes.DataDigest));
        bench.Run();
        Assert.True(connection.TakeResponse(DigestTypes.DataDigest).Status.IsSuccess);
        Assert.Equal(data.AsSpan(100, 600), bench.Disk.AsSpan(0, 600));
    }

    public static TheoryData<ulong, uint, byte, int, GenericStatusCode> WrongSgls => new()
    {
        // address, length, type, bytes in the capsule
        { 513, 1, 0x01, 512, GenericStatusCode.SglOffsetInvalid },
        { ulong.MaxValue, 512, 0x01, 512, GenericStatusCode.SglOffsetInvalid },
        { 0, 513, 0x01, 512, GenericStatusCode.DataSglLengthInvalid },
        { 1, 512, 0x01, 512, GenericStatusCode.DataSglLengthInvalid },
        { 1, uint.MaxValue, 0x01, 512, GenericStatusCode.DataSglLengthInvalid },
        { 512, 1, 0x01, 512, GenericStatusCode.DataSglLengthInvalid },
        { 0, 512, 0x5A, 512, GenericStatusCode.DataSglLengthInvalid },
        { 0, 512, 0x00, 512, GenericStatusCode.SglDescriptorTypeInvalid },
        { 0, 512, 0x21, 512, GenericStatusCode.SglDescriptorTypeInvalid },
        { 0, 512, 0x30, 512, GenericStatusCode.SglDescriptorTypeInvalid },
        { 0, 512, 0x40, 512, GenericStatusCode.SglDescriptorTypeInvalid },
        { 0, 512, 0x01, 0, GenericStatusCode.DataSglLengthInvalid },
        { 0, 512, 0x00, 0, GenericStatusCode.SglDescriptorTypeInvalid },
        { 0, 512, 0x5F, 0, GenericStatusCode.SglDescriptorTypeInvalid },
        { 0, 131073, 0x5A, 0, GenericStatusCode.DataSglLengthInvalid },
        { 0, uint.MaxValue, 0x5A, 0, GenericStatusCode.DataSglLengthInvalid },
    };

    [Theory]
    [MemberData(nameof(WrongSgls))]
    public void A_wrong_SGL_fails_the_command_and_not_the_connection(ulong address, uint length, byte identifier, int capsuleData, GenericStatusCode status)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect(DigestTypes.DataDigest);
        var sgl = new SglDescriptor { Address = address, Length = length, SglIdentifier = identifier };
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Write(3, 0, sgl), new byte[capsuleData], DigestTypes.DataDigest));
        connection.MemorySocket.Write(Pdus.InCapsuleWrite(4, 0, new byte[512], DigestTypes.DataDigest));
        bench.Run();
        List<ReceivedPdu> pdus = connection.Take(DigestTypes.DataDigest);
        Assert.Equal(2, pdus.Count);
        CompletionQueueEntry refused = pdus[0].As<CapsuleResp>().Rccqe;
        Assert.Equal(3, refused.Cid);
        Assert.True(refused.Status.Is(status), refused.Status.ToString());
        Assert.True(refused.Status.DoNotRetry);
        Assert.True(pdus[1].As<CapsuleResp>().Rccqe.Status.IsSuccess);
        Assert.Equal(1, connection.Executed);
    }

    [Theory]
    [InlineData(0x01, GenericStatusCode.SglDescriptorTypeInvalid)]
    [InlineData(0x00, GenericStatusCode.SglDescriptorTypeInvalid)]
    [InlineData(0x31, GenericStatusCode.SglDescriptorTypeInvalid)]
    public void A_read_must_have_a_transport_data_block(byte identifier, GenericStatusCode status)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Io(NvmOpcode.Read, 3, 0, new SglDescriptor { Length = 512, SglIdentifier = identifier })));
        bench.Run();
        Assert.True(connection.TakeResponse().Status.Is(status));
    }

    [Fact]
    public void Data_with_a_command_that_moves_none_is_skipped()
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect();
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(Pdus.Io(NvmOpcode.Flush, 3, 0, default), new byte[4096]));
        connection.MemorySocket.Write(Pdus.InCapsuleWrite(4, 0, new byte[512]));
        bench.Run();
        Assert.Equal(2, connection.Take().Count);
        Assert.Equal(2, connection.Executed);
    }

    [Fact]
    public void More_data_than_the_capsule_may_carry_is_fatal()
    {
        using var bench = new TcpBench(o => o.InCapsuleDataSize = 1024);
        TestConnection connection = bench.Connect();
        byte[] pdu = Pdus.InCapsuleWrite(1, 0, new byte[1025]);
        connection.MemorySocket.Write(pdu);
        Termination.Expect(bench, connection, FatalErrorStatus.DataTransferLimitExceeded, 0, pdu[..72]);
    }

    [Fact]
    public void Admin_and_fabrics_capsules_may_carry_8192_bytes_whatever_the_option_says()
    {
        using var bench = new TcpBench(o => o.InCapsuleDataSize = 0);
        TestConnection connection = bench.Accept();
        connection.MemorySocket.Write(PduBuilder.ICReq());
        bench.Run();
        connection.Take();
        SubmissionQueueEntry command = new() { Opcode = 0x7F, Cid = 5, Fctype = Spindle.Nvme.Fabrics.FabricsCommandType.Connect, Sgl1 = SglDescriptor.InCapsule(0, 8192) };
        connection.MemorySocket.Write(PduBuilder.CapsuleCmd(command, new byte[8192]));
        bench.Run();
        Assert.Equal(5, connection.TakeResponse().Cid);
        byte[] tooLong = PduBuilder.CapsuleCmd(command, new byte[8193]);
        connection.MemorySocket.Write(tooLong);
        Termination.Expect(bench, connection, FatalErrorStatus.DataTransferLimitExceeded, 0, tooLong[..8]);
    }
}
