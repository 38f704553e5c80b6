using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;
using Spindle.NvmfTests.Tcp.Bench;

namespace Spindle.NvmfTests.Tcp;

public class AllocationTests
{
    [Theory]
    [InlineData("read", DigestTypes.None)]
    [InlineData("read", DigestTypes.HeaderDigest | DigestTypes.DataDigest)]
    [InlineData("in-capsule write", DigestTypes.None)]
    [InlineData("in-capsule write", DigestTypes.HeaderDigest | DigestTypes.DataDigest)]
    [InlineData("R2T write", DigestTypes.None)]
    [InlineData("flush", DigestTypes.None)]
    public void A_command_allocates_nothing(string kind, DigestTypes digests)
    {
        using var bench = new TcpBench();
        TestConnection connection = bench.Connect(digests);
        byte[] batch = kind switch
        {
            "read" => Batch(i => PduBuilder.CapsuleCmd(Pdus.Read((ushort)i, (uint)i, 4096), digests: digests)),
            "in-capsule write" => Batch(i => Pdus.InCapsuleWrite((ushort)i, (uint)i, new byte[4096], digests)),
            "R2T write" => Batch(i => PduBuilder.CapsuleCmd(Pdus.Write((ushort)i, (uint)i, SglDescriptor.TransportDataBlock(16384)), digests: digests)),
            _ => Batch(i => PduBuilder.CapsuleCmd(Pdus.Io(NvmOpcode.Flush, (ushort)i, 0, default), digests: digests)),
        };
        // Slots come in the same order each time, so the tags do, too.
        byte[][] data = [];
        if (kind == "R2T write")
        {
            connection.MemorySocket.Write(batch);
            bench.Run();
            data = [.. connection.Take(digests).Select(p => p.As<Spindle.Nvme.Tcp.R2T>()).Select(r => PduBuilder.H2CData(r.Cccid, r.Ttag, 0, new byte[16384], last: true, digests))];
            Finish(bench, connection, data);
        }
        for (int i = 0; i < 20; i++) Round(bench, connection, batch, data);
        // A collection that another thread starts charges this one with what is left of its allocation context: the least of some attempts counts.
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 5 && least > 0; attempt++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            int executed = connection.Executed;
            for (int i = 0; i < 100; i++) Round(bench, connection, batch, data);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal(3200, connection.Executed - executed);
        }
        Assert.Equal(0, least);
    }

    private static byte[] Batch(Func<int, byte[]> command) => [.. Enumerable.Range(0, 32).SelectMany(command)];

    private static void Round(TcpBench bench, TestConnection connection, byte[] batch, byte[][] data)
    {
        connection.MemorySocket.Write(batch);
        bench.Run();
        Finish(bench, connection, data);
    }

    private static void Finish(TcpBench bench, TestConnection connection, byte[][] data)
    {
        if (data.Length > 0)
        {
            // Answer the R2Ts as they stand in the output.
            ReadOnlySpan<byte> output = connection.MemorySocket.Output;
            int count = 0;
            for (int at = 0; at + 24 <= output.Length; at += BitConverter.ToInt32(output[(at + 4)..]))
            {
                byte[] pdu = data[count++];
                output.Slice(at + 8, 4).CopyTo(pdu.AsSpan(8));
                connection.MemorySocket.Write(pdu);
            }
            if (count == 0) foreach (byte[] pdu in data) connection.MemorySocket.Write(pdu);
            connection.MemorySocket.DropOutput();
            bench.Run();
        }
        connection.MemorySocket.DropOutput();
    }
}
