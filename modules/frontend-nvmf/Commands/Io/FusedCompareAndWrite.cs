using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands.Io;

/// <summary>Fused Compare and Write (NVM Command Set Specification 1.0, section 3.2.1.1): one atomic step on the bdev, two completions, that of the compare first.</summary>
[DataPath]
internal static class FusedCompareAndWrite
{
    private static readonly StatusField s_failedFused = new(GenericStatusCode.CommandAbortedDueToFailedFusedCommand);
    private static readonly BdevIoCallback s_done = OnDone;

    /// <summary>One half of a pair is executed: the second of the two to come carries the pair out.</summary>
    public static void Execute(NvmfRequest request)
    {
        bool isFirst = request.Command.Fuse == FusedOperation.FirstCommand;
        if ((NvmOpcode)request.Command.Opcode != (isFirst ? NvmOpcode.Compare : NvmOpcode.Write))
        {
            request.Complete(new StatusField(GenericStatusCode.InvalidCommandOpcode, dnr: true));
            return;
        }
        NvmfRequest? peer = request.FusedPeer;
        if (peer is null && !isFirst)
        {
            request.Complete(new StatusField(GenericStatusCode.CommandAbortedDueToMissingFusedCommand));
            return;
        }
        if (peer is null || peer.State != NvmfRequestState.HeldForFused)
        {
            request.State = NvmfRequestState.HeldForFused;
            return;
        }
        NvmfRequest compare = isFirst ? request : peer;
        NvmfRequest write = isFirst ? peer : request;
        compare.State = NvmfRequestState.Executing;
        write.State = NvmfRequestState.Executing;
        Begin(compare, write);
    }

    /// <summary>Carries a pair on that waited; called with its write.</summary>
    public static void Carry(NamespaceChannel channel, NvmfRequest write) => Submit(channel, write.FusedPeer!, write);

    private static void Begin(NvmfRequest compare, NvmfRequest write)
    {
        // Namespaces may have gone while a half was held.
        NamespaceChannel? channel = write.QueuePair.Namespaces?.Find(write.Command.Nsid);
        if (channel is null)
        {
            End(compare, write, new StatusField(GenericStatusCode.InvalidNamespaceOrFormat, dnr: true), s_failedFused);
            return;
        }
        StatusField status = ReadWriteCommands.Check(channel, write, out ulong offset, out uint blocks);
        if (!status.IsSuccess)
        {
            End(compare, write, s_failedFused, status);
            return;
        }
        ref NvmIoCommand compared = ref compare.Command.As<NvmIoCommand>();
        if (compare.Command.Nsid != write.Command.Nsid || compared.Slba != offset || compared.BlockCount != blocks)
        {
            End(compare, write, s_failedFused, new StatusField(GenericStatusCode.InvalidFieldInCommand, dnr: true));
            return;
        }
        status = ReadWriteCommands.Check(channel, compare, out _, out _);
        if (!status.IsSuccess)
        {
            End(compare, write, status, s_failedFused);
            return;
        }
        if (channel.Bdev.AtomicCompareAndWriteBlocks is not 0 and var limit && blocks > limit)
        {
            End(compare, write, s_failedFused, new StatusField(GenericStatusCode.AtomicWriteUnitExceeded, dnr: true));
            return;
        }
        write.Namespace = channel;
        channel.OnRequestBegun();
        Submit(channel, compare, write);
    }

    private static void Submit(NamespaceChannel channel, NvmfRequest compare, NvmfRequest write)
    {
        ref NvmIoCommand command = ref write.Command.As<NvmIoCommand>();
        int result = channel.Channel.CompareAndWrite(compare.Buffers, write.Buffers, command.Slba, command.BlockCount, s_done, write);
        if (result == 0 || (result == -Errno.ENOMEM && BdevOutcome.Wait(channel, write))) return;
        StatusField status = BdevOutcome.Refused(result);
        End(compare, write, status, status);
    }

    private static void OnDone(object? state, in BdevIoResult result)
    {
        NvmfRequest write = (NvmfRequest)state!;
        StatusField status = BdevOutcome.Status(in result);
        switch (result.Status)
        {
            case BdevIoStatus.Success:
                End(write.FusedPeer!, write, StatusField.Success, StatusField.Success);
                break;
            case BdevIoStatus.Miscompare:
                End(write.FusedPeer!, write, status, s_failedFused);
                break;
            case BdevIoStatus.NvmeError:
                // An NVMe bdev tells of the write; a failed compare comes as a miscompare.
                End(write.FusedPeer!, write, s_failedFused, status);
                break;
            default:
                End(write.FusedPeer!, write, status, status);
                break;
        }
    }

    private static void End(NvmfRequest compare, NvmfRequest write, StatusField compareStatus, StatusField writeStatus)
    {
        compare.FusedPeer = null;
        write.FusedPeer = null;
        compare.Complete(compareStatus);
        write.Complete(writeStatus);
    }
}
