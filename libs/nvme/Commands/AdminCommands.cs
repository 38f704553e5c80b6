using System.Runtime.InteropServices;
using Spindle.Nvme.Features;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;

namespace Spindle.Nvme.Commands;

/// <summary>Identify command (NVMe Base Specification 2.0, section 5.17).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct IdentifyCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Controller or Namespace Structure: what to return.</summary>
    [FieldOffset(40)] public IdentifyCns Cns;

    /// <summary>Controller Identifier, for the structures that take one.</summary>
    [FieldOffset(42)] public ushort Cntid;

    /// <summary>CNS Specific Identifier (NVM Set, domain …).</summary>
    [FieldOffset(44)] public ushort CnsSpecificIdentifier;

    /// <summary>Command Set Identifier, for the structures that take one.</summary>
    [FieldOffset(47)] public CommandSetIdentifier Csi;

    /// <summary>UUID Index, bits 6:0 of dword 14.</summary>
    public readonly byte UuidIndex => (byte)(Sqe.Cdw14 & 0x7F);
}

/// <summary>Get Log Page command (NVMe Base Specification 2.0, section 5.16).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct GetLogPageCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Log Page Identifier (LID).</summary>
    [FieldOffset(40)] public LogPageIdentifier Lid;

    /// <summary>Bits 6:0 Log Specific Parameter (LSP), bit 7 Retain Asynchronous Event (RAE).</summary>
    [FieldOffset(41)] public byte LspAndRae;

    /// <summary>Number of Dwords, lower 16 bits, 0's based.</summary>
    [FieldOffset(42)] public ushort Numdl;

    /// <summary>Number of Dwords, upper 16 bits.</summary>
    [FieldOffset(44)] public ushort Numdu;

    /// <summary>Log Specific Identifier (LSI).</summary>
    [FieldOffset(46)] public ushort Lsi;

    /// <summary>Log Page Offset, lower: byte offset, or index where <see cref="OffsetType"/> is set.</summary>
    [FieldOffset(48)] public uint Lpol;

    /// <summary>Log Page Offset, upper.</summary>
    [FieldOffset(52)] public uint Lpou;

    /// <summary>Command Set Identifier, for log pages that take one.</summary>
    [FieldOffset(59)] public CommandSetIdentifier Csi;

    /// <summary>Log Specific Parameter (LSP).</summary>
    public byte Lsp
    {
        readonly get => (byte)(LspAndRae & 0x7F);
        set => LspAndRae = (byte)((LspAndRae & 0x80) | (value & 0x7F));
    }

    /// <summary>Retain Asynchronous Event (RAE): reading does not clear the event.</summary>
    public bool RetainAsynchronousEvent
    {
        readonly get => (LspAndRae & 0x80) != 0;
        set => LspAndRae = (byte)((LspAndRae & 0x7F) | (value ? 0x80 : 0));
    }

    /// <summary>Offset Type (OT), bit 23 of dword 14: the offset counts entries instead of bytes.</summary>
    public readonly bool OffsetType => (Sqe.Cdw14 & (1u << 23)) != 0;

    /// <summary>Log Page Offset (LPO).</summary>
    public ulong Lpo
    {
        readonly get => ((ulong)Lpou << 32) | Lpol;
        set { Lpol = (uint)value; Lpou = (uint)(value >> 32); }
    }

    /// <summary>Length to return in bytes, 4 to 2^34: (NUMD + 1) x 4. Setting takes a multiple of 4 that is not 0.</summary>
    public ulong LengthInBytes
    {
        readonly get => (((ulong)Numdu << 16 | Numdl) + 1) * 4;
        set
        {
            uint numd = (uint)(value / 4 - 1);
            Numdl = (ushort)numd;
            Numdu = (ushort)(numd >> 16);
        }
    }
}

/// <summary>Get Features command (NVMe Base Specification 2.0, section 5.15).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct GetFeaturesCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Feature Identifier (FID).</summary>
    [FieldOffset(40)] public FeatureIdentifier Fid;

    /// <summary>Select (SEL), bits 10:8 of dword 10.</summary>
    public FeatureSelect Sel
    {
        readonly get => (FeatureSelect)((Sqe.Cdw10 >> 8) & 0x7);
        set => Sqe.Cdw10 = (Sqe.Cdw10 & ~0x700u) | ((uint)value & 0x7) << 8;
    }
}

/// <summary>Set Features command (NVMe Base Specification 2.0, section 5.27).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct SetFeaturesCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Feature Identifier (FID).</summary>
    [FieldOffset(40)] public FeatureIdentifier Fid;

    /// <summary>Save (SV), bit 31 of dword 10: keep over power cycles.</summary>
    public bool Sv
    {
        readonly get => (Sqe.Cdw10 & 0x8000_0000) != 0;
        set => Sqe.Cdw10 = (Sqe.Cdw10 & 0x7FFF_FFFF) | (value ? 0x8000_0000 : 0);
    }
}

/// <summary>Abort command (NVMe Base Specification 2.0, section 5.1). Bit 0 of the completion's dword 0 is 0 when the command was aborted.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct AbortCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Submission Queue Identifier of the command to abort.</summary>
    [FieldOffset(40)] public ushort AbortSqid;

    /// <summary>Command Identifier of the command to abort.</summary>
    [FieldOffset(42)] public ushort AbortCid;
}

/// <summary>Create I/O Submission Queue command (NVMe Base Specification 2.0, section 5.5); PCIe only.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct CreateIoSubmissionQueueCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Queue Identifier.</summary>
    [FieldOffset(40)] public ushort Qid;

    /// <summary>Queue Size, 0's based.</summary>
    [FieldOffset(42)] public ushort Qsize;

    /// <summary>Bit 0 Physically Contiguous (PC), bits 2:1 Queue Priority (QPRIO).</summary>
    [FieldOffset(44)] public ushort Flags;

    /// <summary>Completion Queue Identifier to use.</summary>
    [FieldOffset(46)] public ushort Cqid;
}

/// <summary>Create I/O Completion Queue command (NVMe Base Specification 2.0, section 5.4); PCIe only.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct CreateIoCompletionQueueCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Queue Identifier.</summary>
    [FieldOffset(40)] public ushort Qid;

    /// <summary>Queue Size, 0's based.</summary>
    [FieldOffset(42)] public ushort Qsize;

    /// <summary>Bit 0 Physically Contiguous (PC), bit 1 Interrupts Enabled (IEN).</summary>
    [FieldOffset(44)] public ushort Flags;

    /// <summary>Interrupt Vector.</summary>
    [FieldOffset(46)] public ushort Iv;
}

/// <summary>Delete I/O Submission Queue and Delete I/O Completion Queue commands (NVMe Base Specification 2.0, sections 5.6 and 5.7); PCIe only.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct DeleteIoQueueCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Queue Identifier.</summary>
    [FieldOffset(40)] public ushort Qid;
}
