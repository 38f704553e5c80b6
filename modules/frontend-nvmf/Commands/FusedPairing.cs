using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands;

/// <summary>Finds the fused pairs of one I/O queue. The two commands must follow each other in the submission queue (NVMe Base Specification 2.0,
/// section 3.4.2), while their data may come in any order; so pairs are formed when capsules arrive and carried out when both are executed.</summary>
internal sealed class FusedPairing
{
    private static readonly StatusField s_missing = new(GenericStatusCode.CommandAbortedDueToMissingFusedCommand);
    private static readonly StatusField s_failed = new(GenericStatusCode.CommandAbortedDueToFailedFusedCommand);

    private NvmfRequest? _awaitingSecond;

    /// <summary>A command arrived.</summary>
    [DataPath]
    public void Arrive(NvmfRequest request)
    {
        NvmfRequest? first = _awaitingSecond;
        FusedOperation fuse = request.Command.Fuse;
        if (first is null && fuse == FusedOperation.Normal) return;
        _awaitingSecond = null;
        switch (fuse)
        {
            case FusedOperation.FirstCommand:
                _awaitingSecond = request;
                break;
            case FusedOperation.SecondCommand when first is not null:
                first.FusedPeer = request;
                request.FusedPeer = first;
                return;
            case FusedOperation.SecondCommand:
                request.ForcedStatus = s_missing;
                break;
            case FusedOperation.Reserved:
                request.ForcedStatus = new StatusField(GenericStatusCode.InvalidFieldInCommand, dnr: true);
                break;
        }
        if (first is not null) Fail(first, s_missing);
    }

    /// <summary>The command completed, or its transport dropped it: what is left of its pair fails.</summary>
    [DataPath]
    public void Ended(NvmfRequest request)
    {
        if (_awaitingSecond == request) _awaitingSecond = null;
        NvmfRequest? peer = request.FusedPeer;
        if (peer is null) return;
        request.FusedPeer = null;
        peer.FusedPeer = null;
        Fail(peer, s_failed);
    }

    /// <summary>The queue is being disconnected: no second command will come any more.</summary>
    public void Abandon()
    {
        NvmfRequest? first = _awaitingSecond;
        _awaitingSecond = null;
        if (first is not null) Fail(first, s_missing);
    }

    [DataPath]
    private static void Fail(NvmfRequest request, StatusField status)
    {
        if (request.State == NvmfRequestState.HeldForFused) request.Complete(status);
        else if (request.State == NvmfRequestState.Arrived) request.ForcedStatus = status;
    }
}
