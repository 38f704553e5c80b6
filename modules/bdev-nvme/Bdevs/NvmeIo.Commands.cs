using Spindle.Bdevs;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Initiator.Queues;

namespace Spindle.Bdev.Nvme.Bdevs;

/// <content>The commands of each type of I/O (NVM Command Set Specification 1.0, section 3.2).</content>
internal sealed unsafe partial class NvmeIo
{
    [DataPath]
    private void SubmitOne(NvmeQueue queue)
    {
        var command = queue.TryTake()!;
        ref var entry = ref command.Entry;
        entry = default;
        entry.Nsid = _path.Namespace.Nsid;
        switch (_type)
        {
            case BdevIoType.Read:
                SetBlocks(ref entry, NvmOpcode.Read);
                command.SetData(_io.Iovs, false);
                break;
            case BdevIoType.Write:
                SetBlocks(ref entry, NvmOpcode.Write);
                command.SetData(_io.Iovs, true);
                break;
            case BdevIoType.Compare:
                SetBlocks(ref entry, NvmOpcode.Compare);
                command.SetData(_io.Iovs, true);
                break;
            case BdevIoType.WriteZeroes:
                SetBlocks(ref entry, NvmOpcode.WriteZeroes);
                command.SetNoData();
                break;
            case BdevIoType.Flush:
                entry.Opcode = (byte)NvmOpcode.Flush;
                command.SetNoData();
                break;
            case BdevIoType.Unmap:
                SetRange(command);
                break;
            default:
                SetCopy(command);
                break;
        }
        command.Completed = s_completed;
        command.State = this;
        _command = command;
        _pending = 1;
        queue.Submit(command);
    }

    [DataPath]
    private void SetBlocks(ref SubmissionQueueEntry entry, NvmOpcode opcode)
    {
        entry.Opcode = (byte)opcode;
        ref var blocks = ref entry.As<NvmIoCommand>();
        blocks.Slba = _io.OffsetBlocks;
        blocks.BlockCount = (uint)_io.NumBlocks;
        blocks.Flags = _bdev.CommandFlags;
        // Types 1 and 2 have the low half of the address as the reference tag.
        if ((_bdev.CommandFlags & NvmIoFlags.PrchkReferenceTag) != 0) blocks.ReferenceTag = (uint)_io.OffsetBlocks;
    }

    [DataPath]
    private void SetRange(NvmeCommand command)
    {
        command.Entry.Opcode = (byte)NvmOpcode.DatasetManagement;
        command.Entry.As<DatasetManagementCommand>().Attributes = DatasetManagementAttributes.Deallocate;
        *(DatasetManagementRange*)command.Scratch.Pointer = new DatasetManagementRange { StartingLba = _io.OffsetBlocks, LengthInLogicalBlocks = (uint)_io.NumBlocks };
        command.SetScratchData((uint)sizeof(DatasetManagementRange), true);
    }

    [DataPath]
    private void SetCopy(NvmeCommand command)
    {
        command.Entry.Opcode = (byte)NvmOpcode.Copy;
        command.Entry.As<CopyCommand>().Sdlba = _io.OffsetBlocks;
        *(CopySourceRange*)command.Scratch.Pointer = new CopySourceRange { Slba = _io.CopySourceOffset, Nlb = (ushort)(_io.NumBlocks - 1) };
        command.SetScratchData((uint)sizeof(CopySourceRange), true);
    }

    /// <summary>Compare and write as a fused pair: next to each other in the queue, done as one or not at all (NVMe Base Specification 2.0, 3.4.2).</summary>
    [DataPath]
    private void SubmitFused(NvmeQueue queue)
    {
        NvmeCommand compare = queue.TryTake()!, write = queue.TryTake()!;
        compare.Entry = default;
        compare.Entry.Nsid = _path.Namespace.Nsid;
        compare.Entry.Fuse = FusedOperation.FirstCommand;
        SetBlocks(ref compare.Entry, NvmOpcode.Compare);
        compare.SetData(_io.CompareIovs, true);
        compare.Completed = s_compared;
        compare.State = this;
        write.Entry = default;
        write.Entry.Nsid = _path.Namespace.Nsid;
        write.Entry.Fuse = FusedOperation.SecondCommand;
        SetBlocks(ref write.Entry, NvmOpcode.Write);
        write.SetData(_io.Iovs, true);
        write.Completed = s_completed;
        write.State = this;
        _command = write;
        _pending = 2;
        queue.Submit(compare);
        queue.Submit(write);
    }
}
