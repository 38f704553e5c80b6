using Spindle.Nvme.Commands;
using Spindle.Nvme.Features;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;

namespace Spindle.NvmfTests.Initiator;

/// <summary>Admin and NVM commands, filled in but for CID and SGL.</summary>
public static class NvmeCommands
{
    public static SubmissionQueueEntry Identify(IdentifyCns cns, uint nsid = 0, ushort cntid = 0, CommandSetIdentifier csi = CommandSetIdentifier.Nvm)
    {
        SubmissionQueueEntry sqe = Admin(AdminOpcode.Identify, nsid);
        ref IdentifyCommand identify = ref sqe.As<IdentifyCommand>();
        identify.Cns = cns;
        identify.Cntid = cntid;
        identify.Csi = csi;
        return sqe;
    }

    public static SubmissionQueueEntry GetLogPage(LogPageIdentifier lid, int length, ulong offset = 0, uint nsid = NvmeConstants.BroadcastNsid, bool retain = false, byte lsp = 0)
    {
        SubmissionQueueEntry sqe = Admin(AdminOpcode.GetLogPage, nsid);
        ref GetLogPageCommand log = ref sqe.As<GetLogPageCommand>();
        log.Lid = lid;
        log.LengthInBytes = (ulong)length;
        log.Lpo = offset;
        log.Lsp = lsp;
        log.RetainAsynchronousEvent = retain;
        return sqe;
    }

    public static SubmissionQueueEntry GetFeatures(FeatureIdentifier fid, uint cdw11 = 0, uint nsid = 0, FeatureSelect select = FeatureSelect.Current)
    {
        SubmissionQueueEntry sqe = Admin(AdminOpcode.GetFeatures, nsid);
        ref GetFeaturesCommand get = ref sqe.As<GetFeaturesCommand>();
        get.Fid = fid;
        get.Sel = select;
        sqe.Cdw11 = cdw11;
        return sqe;
    }

    public static SubmissionQueueEntry SetFeatures(FeatureIdentifier fid, uint cdw11, uint nsid = 0, bool save = false)
    {
        SubmissionQueueEntry sqe = Admin(AdminOpcode.SetFeatures, nsid);
        ref SetFeaturesCommand set = ref sqe.As<SetFeaturesCommand>();
        set.Fid = fid;
        set.Sv = save;
        sqe.Cdw11 = cdw11;
        return sqe;
    }

    public static SubmissionQueueEntry Abort(ushort sqid, ushort cid)
    {
        SubmissionQueueEntry sqe = Admin(AdminOpcode.Abort);
        ref AbortCommand abort = ref sqe.As<AbortCommand>();
        abort.AbortSqid = sqid;
        abort.AbortCid = cid;
        return sqe;
    }

    public static SubmissionQueueEntry Admin(AdminOpcode opcode, uint nsid = 0) => new() { Opcode = (byte)opcode, Nsid = nsid };

    public static SubmissionQueueEntry Io(NvmOpcode opcode, uint nsid, ulong slba, uint blocks, NvmIoFlags flags = NvmIoFlags.None)
    {
        SubmissionQueueEntry sqe = new() { Opcode = (byte)opcode, Nsid = nsid };
        ref NvmIoCommand io = ref sqe.As<NvmIoCommand>();
        io.Slba = slba;
        io.BlockCount = blocks;
        io.Flags = flags;
        return sqe;
    }

    public static SubmissionQueueEntry Flush(uint nsid) => new() { Opcode = (byte)NvmOpcode.Flush, Nsid = nsid };

    public static SubmissionQueueEntry DatasetManagement(uint nsid, int ranges, DatasetManagementAttributes attributes)
    {
        SubmissionQueueEntry sqe = new() { Opcode = (byte)NvmOpcode.DatasetManagement, Nsid = nsid };
        ref DatasetManagementCommand dsm = ref sqe.As<DatasetManagementCommand>();
        dsm.Nr = (byte)(ranges - 1);
        dsm.Attributes = attributes;
        return sqe;
    }
}
