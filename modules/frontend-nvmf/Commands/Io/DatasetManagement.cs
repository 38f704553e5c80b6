using System.Runtime.InteropServices;
using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands.Io;

/// <summary>Dataset Management (NVM Command Set Specification 1.0, section 3.2.3): deallocates ranges; the other attributes are hints that nobody takes.
/// The request counts its unmaps in <see cref="NvmfRequest.Pending"/> and the ranges begun in <see cref="NvmfRequest.Progress"/>.</summary>
[DataPath]
internal static class DatasetManagement
{
    private static readonly BdevIoCallback s_unmapped = OnUnmapped;

    /// <summary>Begins it, or carries it on.</summary>
    public static void Carry(NamespaceChannel channel, NvmfRequest request)
    {
        ref DatasetManagementCommand command = ref request.Command.As<DatasetManagementCommand>();
        if (request.Progress == 0 && request.Pending == 0)
        {
            StatusField status = Check(channel, request, command.RangeCount);
            if (!status.IsSuccess || (command.Attributes & DatasetManagementAttributes.Deallocate) == 0)
            {
                request.Complete(status);
                return;
            }
            // Held by this walk over the ranges, so that the command does not end before it.
            request.Pending = 1;
        }
        Walk(channel, request, (uint)command.RangeCount);
    }

    private static void Walk(NamespaceChannel channel, NvmfRequest request, uint count)
    {
        while (request.Progress < count && request.Completion.Status.IsSuccess)
        {
            DatasetManagementRange range = Range(request, request.Progress);
            if (range.LengthInLogicalBlocks != 0)
            {
                request.Pending++;
                int result = channel.Channel.Unmap(range.StartingLba, range.LengthInLogicalBlocks, s_unmapped, request);
                if (result != 0)
                {
                    request.Pending--;
                    if (result == -Errno.ENOMEM && BdevOutcome.Wait(channel, request)) return;
                    request.Completion.Status = BdevOutcome.Refused(result);
                    break;
                }
            }
            request.Progress++;
        }
        if (--request.Pending == 0) request.Complete();
    }

    private static void OnUnmapped(object? state, in BdevIoResult result)
    {
        NvmfRequest request = (NvmfRequest)state!;
        if (!result.IsSuccess && request.Completion.Status.IsSuccess)
        {
            request.Completion.Cdw0 = result.NvmeCdw0;
            request.Completion.Status = BdevOutcome.Status(in result);
        }
        if (--request.Pending == 0) request.Complete();
    }

    private static StatusField Check(NamespaceChannel channel, NvmfRequest request, int count)
    {
        if ((uint)(count * 16) > request.Length) return new StatusField(GenericStatusCode.DataSglLengthInvalid, dnr: true);
        ulong limit = request.QueuePair.Controller!.Subsystem.Options.MaxDiscardSizeKib;
        for (uint i = 0; i < (uint)count; i++)
        {
            DatasetManagementRange range = Range(request, i);
            if (!ReadWriteCommands.IsInRange(channel, range.StartingLba, range.LengthInLogicalBlocks))
                return new StatusField(GenericStatusCode.LbaOutOfRange, dnr: true);
            if (limit != 0 && (ulong)range.LengthInLogicalBlocks * channel.BlockSize > limit << 10)
                return new StatusField(GenericStatusCode.InvalidFieldInCommand, dnr: true);
        }
        return StatusField.Success;
    }

    private static DatasetManagementRange Range(NvmfRequest request, uint index)
    {
        DatasetManagementRange range = default;
        RequestData.TryRead(request, MemoryMarshal.AsBytes(new Span<DatasetManagementRange>(ref range)), index * 16);
        return range;
    }
}
