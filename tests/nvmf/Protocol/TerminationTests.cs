using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Ends of connections, by the host and by the network.</summary>
public class TerminationTests(SharedTarget shared) : ProtocolTest(shared)
{
    [Theory]
    [InlineData((ushort)FatalErrorStatus.InvalidPduHeaderField, 0)]
    [InlineData((ushort)FatalErrorStatus.PduSequenceError, 8)]
    [InlineData((ushort)FatalErrorStatus.HeaderDigestError, 128)]
    [InlineData((ushort)0xFFFF, 128)]
    public async Task Termination_by_the_host_closes_the_connection(ushort fes, int dataLength)
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target, DigestTypes.HeaderDigest);
        await queue.Connection.SendAsync(PduBuilder.H2CTermReq((FatalErrorStatus)fes, uint.MaxValue, new byte[dataLength]));
        await queue.Connection.ExpectCloseAsync();
    }

    [Fact]
    public async Task Termination_before_initialization_closes_the_connection()
    {
        await using PduConnection connection = await PduConnection.OpenAsync(Target.Endpoint);
        await connection.SendAsync(PduBuilder.H2CTermReq(FatalErrorStatus.PduSequenceError, 0));
        await connection.ExpectCloseAsync();
    }

    [Fact]
    public async Task Termination_that_is_too_long_closes_the_connection()
    {
        await using PduConnection connection = await OpenAsync();
        byte[] pdu = PduBuilder.H2CTermReq(FatalErrorStatus.PduSequenceError, 0, new byte[TermReq.MaxDataLength + 1]);
        await connection.SendAsync(pdu);
        await connection.ExpectCloseAsync();
    }

    [Fact]
    public async Task Half_closed_connection_is_closed_by_the_target()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target);
        queue.Connection.ShutdownSend();
        await queue.Connection.ExpectCloseAsync();
    }

    [Fact]
    public async Task Connections_without_a_word_and_with_half_a_word_harm_nobody()
    {
        for (int length = 0; length < 128; length += 5)
        {
            await using PduConnection connection = await PduConnection.OpenAsync(Target.Endpoint);
            await connection.SendAsync(PduBuilder.ICReq().AsMemory(0, length));
            if (length % 2 == 0)
            {
                connection.Reset();
            }
        }
    }

    [Trait("Category", "Slow")]
    [Fact]
    public async Task Hosts_that_vanish_with_commands_outstanding_harm_nobody()
    {
        for (int i = 0; i < 20; i++)
        {
            await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target, queueSize: 128);
            for (ushort cid = 0; cid < 100; cid++)
            {
                await queue.SendAsync(RawIoQueue.WithTransport(NvmeCommands.Io(cid % 2 == 0 ? NvmOpcode.Read : NvmOpcode.Write, 1, cid * 256ul, 256) with { Cid = cid }, 131072));
            }
            queue.Connection.Reset();
        }
    }

    [Fact]
    public async Task Host_that_reads_nothing_holds_up_nobody()
    {
        await using RawIoQueue queue = await RawIoQueue.OpenAsync(Target, queueSize: 128);
        for (ushort cid = 0; cid < 127; cid++)
        {
            await queue.SendAsync(RawIoQueue.WithTransport(NvmeCommands.Io(NvmOpcode.Read, 1, cid * 256ul, 256) with { Cid = cid }, 131072));
        }
        // 16 MiB are on their way, more than any socket buffer; another host does its work meanwhile.
        await using NvmeTcpController controller = await ConnectAsync();
        NamespaceIo ns = new(controller.Io, 1, 512);
        for (int i = 0; i < 20; i++)
        {
            await ns.WriteByR2TAsync(40_000, Pattern(131072, i));
            Assert.Equal(Pattern(131072, i), await ns.ReadAsync(40_000, 256));
        }
    }
}
