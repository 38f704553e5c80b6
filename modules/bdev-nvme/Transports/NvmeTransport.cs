using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Initiator.Queues;
using Spindle.Nvme.Registers;

namespace Spindle.Bdev.Nvme.Transports;

/// <summary>What a controller granted, as far as its I/O queues need to know it.</summary>
/// <param name="Cntlid">The controller's identifier.</param>
/// <param name="Depth">Commands that may be outstanding on an I/O queue.</param>
/// <param name="InCapsuleBytes">Bytes of data in a command's capsule; 0 where the transport has no capsules.</param>
internal sealed record IoQueueTerms(ushort Cntlid, int Depth, uint InCapsuleBytes);

/// <summary>The way to one controller: how its queues are made and its properties reached. What runs on the queues is the same for all transports.</summary>
internal abstract class NvmeTransport
{
    /// <summary>Pieces of memory that one command's data may lie in; the host copies where a submitter has more.</summary>
    internal const int MaxVectors = 128;

    /// <summary>The name in statistics: "TCP".</summary>
    internal abstract string Name { get; }

    /// <summary>Makes the admin queue and, over fabrics, the association. On the app thread.</summary>
    /// <returns>The queue, and the controller's identifier where the transport tells it.</returns>
    internal abstract Task<(NvmeQueue Queue, ushort Cntlid)> OpenAdminQueueAsync(CancellationToken cancellationToken);

    /// <summary>Makes an I/O queue, on the calling storage thread.</summary>
    internal abstract Task<NvmeQueue> OpenIoQueueAsync(ushort qid, IoQueueTerms terms, CancellationToken cancellationToken);

    /// <summary>Reads a property (a register, over PCIe).</summary>
    internal abstract Task<ulong> ReadPropertyAsync(NvmeQueue admin, PropertyOffset property, PropertySize size);

    /// <summary>Writes a property of four bytes.</summary>
    internal abstract Task WritePropertyAsync(NvmeQueue admin, PropertyOffset property, uint value);

    /// <summary>Frees a queue that has ended.</summary>
    internal abstract void Free(NvmeQueue queue);

    /// <summary>Completions of the operating system that a queue took so far.</summary>
    internal abstract ulong SystemCompletions(NvmeQueue queue);

    /// <summary>Commands of a queue that had to wait before they left.</summary>
    internal abstract ulong QueuedCommands(NvmeQueue queue);
}

