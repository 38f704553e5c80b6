using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands.Io;

/// <summary>From how a bdev answered to an NVMe status.</summary>
[DataPath]
internal static class BdevOutcome
{
    /// <summary>The status of an I/O that ended; an NVMe status comes through unchanged.</summary>
    public static StatusField Status(in BdevIoResult result) => result.Status switch
    {
        BdevIoStatus.Success => StatusField.Success,
        BdevIoStatus.NvmeError => new StatusField((StatusCodeType)result.NvmeStatusCodeType, result.NvmeStatusCode, result.NvmeDoNotRetry),
        BdevIoStatus.Miscompare => new StatusField(MediaStatusCode.CompareFailure),
        BdevIoStatus.Aborted => new StatusField(GenericStatusCode.CommandAbortRequested),
        BdevIoStatus.FirstFusedFailed => new StatusField(GenericStatusCode.CommandAbortedDueToFailedFusedCommand),
        BdevIoStatus.Failed => Failed(result.ErrorNumber),
        _ => new StatusField(GenericStatusCode.InternalError),
    };

    /// <summary>Ends a command with the outcome of its I/O.</summary>
    public static void Complete(NvmfRequest request, in BdevIoResult result)
    {
        request.Completion.Cdw0 = result.NvmeCdw0;
        request.Complete(Status(in result));
    }

    /// <summary>Looks at what a submission returned: nothing to do for 0; waits for a free I/O object, or ends the command, otherwise.</summary>
    public static void Submitted(NamespaceChannel channel, NvmfRequest request, int result)
    {
        if (result == 0) return;
        if (result == -Errno.ENOMEM && Wait(channel, request)) return;
        request.Complete(Refused(result));
    }

    /// <summary>Has the command carried on when the bdev has a free I/O object.</summary>
    /// <returns>False when there is one already.</returns>
    public static bool Wait(NamespaceChannel channel, NvmfRequest request)
    {
        if (channel.Channel.QueueIoWait(request.IoWait) != 0) return false;
        request.QueuePair.Group.Statistics.PendingBdevIo++;
        return true;
    }

    /// <summary>The status of a submission that was refused.</summary>
    public static StatusField Refused(int result) => result switch
    {
        -Errno.ENODEV => new StatusField(GenericStatusCode.InvalidNamespaceOrFormat, dnr: true),
        -Errno.EBADF => new StatusField(GenericStatusCode.NamespaceIsWriteProtected, dnr: true),
        -Errno.ENOTSUP => new StatusField(GenericStatusCode.InvalidCommandOpcode, dnr: true),
        _ => new StatusField(GenericStatusCode.InternalError),
    };

    private static StatusField Failed(int errno) => errno switch
    {
        Errno.ENODEV or Errno.ENXIO => new StatusField(GenericStatusCode.NamespaceNotReady),
        Errno.ENOSPC => new StatusField(GenericStatusCode.CapacityExceeded),
        Errno.EROFS => new StatusField(GenericStatusCode.NamespaceIsWriteProtected, dnr: true),
        Errno.ENOTSUP => new StatusField(GenericStatusCode.InvalidCommandOpcode, dnr: true),
        _ => new StatusField(GenericStatusCode.InternalError),
    };
}
