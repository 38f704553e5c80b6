using Spindle.Bdevs;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Initiator.Queues;

namespace Spindle.Bdev.Nvme.Bdevs;

/// <summary>What an NVMe status means for an I/O.</summary>
internal static class NvmeStatusMap
{
    /// <summary>The I/O's result; the status is kept where the result has no word of its own for it.</summary>
    [DataPath]
    internal static BdevIoResult Result(in CompletionQueueEntry completion)
    {
        var status = completion.Status;
        if (status.Is(MediaStatusCode.CompareFailure)) return BdevIoResult.Of(BdevIoStatus.Miscompare);
        if (status.Is(GenericStatusCode.CommandAbortRequested) || IsLost(status)) return BdevIoResult.Of(BdevIoStatus.Aborted);
        return BdevIoResult.FromNvme((byte)status.StatusCodeType, status.StatusCode, completion.Cdw0, status.DoNotRetry);
    }

    /// <summary>The queue ended before the command.</summary>
    [DataPath]
    internal static bool IsLost(StatusField status) => status == NvmeQueue.Lost.Status || status.Is(GenericStatusCode.CommandAbortedDueToSqDeletion);

    /// <summary>The namespace cannot be reached by this controller now (NVMe Base Specification 2.0, 8.1.3).</summary>
    [DataPath]
    internal static bool IsAnaRefusal(StatusField status) => status.Is(PathStatusCode.AsymmetricAccessInaccessible) ||
        status.Is(PathStatusCode.AsymmetricAccessPersistentLoss) || status.Is(PathStatusCode.AsymmetricAccessTransition);

    /// <summary>The controller could not now, and may later.</summary>
    [DataPath]
    internal static bool IsTransient(StatusField status) => status.StatusCodeType == StatusCodeType.PathRelated || status.Is(GenericStatusCode.NamespaceNotReady) ||
        status.Is(GenericStatusCode.CommandInterrupted) || status.Is(GenericStatusCode.TransientTransportError);
}
