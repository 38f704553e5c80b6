using Spindle.Memory;
using Spindle.Modules;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Initiator.Admin;
using Spindle.Nvme.Initiator.Queues;
using Spindle.Nvme.Initiator.Tcp;
using Spindle.Nvme.Registers;

namespace Spindle.Bdev.Nvme.Transports.Tcp;

/// <summary>NVMe/TCP: each queue is a connection.</summary>
internal sealed class TcpTransport(IModuleContext context, TransportAddress address, FabricsIdentity identity, TcpTransportOptions options) : NvmeTransport
{
    private const int AdminDepth = 31;
    private const uint AdminReceiveBytes = 16 * 1024;

    internal override string Name => "TCP";

    internal override async Task<(NvmeQueue Queue, ushort Cntlid)> OpenAdminQueueAsync(CancellationToken cancellationToken)
    {
        var queue = await TcpQueue.ConnectAsync(context.Io, context.Memory, address.EndPoint, QueueOptions(AdminDepth) with { ReceiveBytes = AdminReceiveBytes }, cancellationToken);
        return (queue, await ConnectAsync(queue, 0, NvmeConstants.DynamicControllerId, options.KeepAliveMilliseconds));
    }

    internal override async Task<NvmeQueue> OpenIoQueueAsync(ushort qid, IoQueueTerms terms, CancellationToken cancellationToken)
    {
        var queue = await TcpQueue.ConnectAsync(context.Io, context.Memory, address.EndPoint, QueueOptions(terms.Depth), cancellationToken);
        // What goes in capsules before the connection is made goes by the rules of the admin queue, which every controller takes.
        await ConnectAsync(queue, qid, terms.Cntlid, 0);
        queue.InCapsuleBytes = terms.InCapsuleBytes;
        return queue;
    }

    private TcpQueueOptions QueueOptions(int depth) => new()
    {
        Depth = depth, HeaderDigest = options.HeaderDigest, DataDigest = options.DataDigest, MaxVectors = MaxVectors, ConnectTimeout = options.ConnectTimeout,
    };

    private async Task<ushort> ConnectAsync(TcpQueue queue, ushort qid, ushort cntlid, uint keepAlive)
    {
        using var data = context.Memory.Allocate(ConnectData.Size);
        try
        {
            return await queue.ConnectAsync(identity, qid, cntlid, keepAlive, data.Slice(0, ConnectData.Size), options.ConnectTimeout);
        }
        catch
        {
            await queue.CloseAsync();
            queue.Dispose();
            throw;
        }
    }

    internal override Task<ulong> ReadPropertyAsync(NvmeQueue admin, PropertyOffset property, PropertySize size) =>
        admin.GetPropertyAsync(property, size, options.ConnectTimeout);

    internal override Task WritePropertyAsync(NvmeQueue admin, PropertyOffset property, uint value) => admin.SetPropertyAsync(property, value, options.ConnectTimeout);

    internal override void Free(NvmeQueue queue) => ((TcpQueue)queue).Dispose();

    internal override ulong SystemCompletions(NvmeQueue queue) => ((TcpQueue)queue).SocketCompletions;

    internal override ulong QueuedCommands(NvmeQueue queue) => ((TcpQueue)queue).QueuedCount;
}

/// <summary>How the connections to a controller are made.</summary>
internal sealed record TcpTransportOptions
{
    internal bool HeaderDigest { get; init; }
    internal bool DataDigest { get; init; }
    internal TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);
    internal uint KeepAliveMilliseconds { get; init; }
}
