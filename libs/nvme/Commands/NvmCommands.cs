using System.Runtime.InteropServices;

namespace Spindle.Nvme.Commands;

/// <summary>
/// Read, Write, Compare, Write Zeroes, Write Uncorrectable and Verify commands (NVM Command Set Specification 1.0, section 3.2):
/// they share the place of their LBA fields; the doc of a field says where it means something else.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct NvmIoCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Starting LBA, dwords 10 and 11.</summary>
    [FieldOffset(40)] public ulong Slba;

    /// <summary>Number of Logical Blocks, 0's based.</summary>
    [FieldOffset(48)] public ushort Nlb;

    /// <summary>Upper half of dword 12: <see cref="NvmIoFlags"/>.</summary>
    [FieldOffset(50)] public NvmIoFlags Flags;

    /// <summary>Expected (Read, Compare, Verify) or Initial (Write, Write Zeroes) Logical Block Reference Tag.</summary>
    [FieldOffset(56)] public uint ReferenceTag;

    /// <summary>Logical Block Application Tag.</summary>
    [FieldOffset(60)] public ushort ApplicationTag;

    /// <summary>Logical Block Application Tag Mask.</summary>
    [FieldOffset(62)] public ushort ApplicationTagMask;

    /// <summary>Number of logical blocks, 1 to 65,536.</summary>
    public uint BlockCount
    {
        readonly get => (uint)Nlb + 1;
        set => Nlb = (ushort)(value - 1);
    }
}

/// <summary>Upper 16 bits of dword 12 of the NVM I/O commands.</summary>
[Flags]
public enum NvmIoFlags : ushort
{
    None = 0,
    /// <summary>Directive Type, bits 23:20 (Write).</summary>
    DirectiveTypeMask = 0x00F0,
    /// <summary>Storage Tag Check, bit 24.</summary>
    StorageTagCheck = 1 << 8,
    /// <summary>Deallocate, bit 25 (Write Zeroes).</summary>
    Deallocate = 1 << 9,
    /// <summary>Protection Information Check: reference tag, bit 26.</summary>
    PrchkReferenceTag = 1 << 10,
    /// <summary>Protection Information Check: application tag, bit 27.</summary>
    PrchkApplicationTag = 1 << 11,
    /// <summary>Protection Information Check: guard, bit 28.</summary>
    PrchkGuard = 1 << 12,
    /// <summary>Protection Information Action, bit 29: insert or strip.</summary>
    Pract = 1 << 13,
    /// <summary>Force Unit Access, bit 30.</summary>
    ForceUnitAccess = 1 << 14,
    /// <summary>Limited Retry, bit 31.</summary>
    LimitedRetry = 1 << 15,
}

/// <summary>Dataset Management command (NVM Command Set Specification 1.0, section 3.2.3).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct DatasetManagementCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Number of Ranges, 0's based.</summary>
    [FieldOffset(40)] public byte Nr;

    /// <summary>Dword 11.</summary>
    [FieldOffset(44)] public DatasetManagementAttributes Attributes;

    /// <summary>Number of ranges, 1 to 256.</summary>
    public readonly int RangeCount => Nr + 1;
}

/// <summary>Dword 11 of Dataset Management.</summary>
[Flags]
public enum DatasetManagementAttributes : uint
{
    None = 0,
    /// <summary>Attribute – Integral Dataset for Read (IDR).</summary>
    IntegralDatasetForRead = 1 << 0,
    /// <summary>Attribute – Integral Dataset for Write (IDW).</summary>
    IntegralDatasetForWrite = 1 << 1,
    /// <summary>Attribute – Deallocate (AD).</summary>
    Deallocate = 1 << 2,
}

/// <summary>Dataset Management range, 16 bytes (NVM Command Set Specification 1.0, Figure 43).</summary>
[StructLayout(LayoutKind.Explicit, Size = 16, Pack = 1)]
public struct DatasetManagementRange
{
    /// <summary>Context Attributes; hints.</summary>
    [FieldOffset(0)] public uint ContextAttributes;

    /// <summary>Length in logical blocks; not 0's based, 0 is an empty range.</summary>
    [FieldOffset(4)] public uint LengthInLogicalBlocks;

    /// <summary>Starting LBA.</summary>
    [FieldOffset(8)] public ulong StartingLba;
}

/// <summary>Copy command (NVM Command Set Specification 1.0, section 3.2.2).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct CopyCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Starting Destination LBA.</summary>
    [FieldOffset(40)] public ulong Sdlba;

    /// <summary>Number of Ranges, 0's based.</summary>
    [FieldOffset(48)] public byte Nr;

    /// <summary>Bits 3:0 Descriptor Format, 7:4 PRINFOR.</summary>
    [FieldOffset(49)] public byte FormatAndPrinfor;

    /// <summary>Descriptor Format (DF).</summary>
    public readonly byte DescriptorFormat => (byte)(FormatAndPrinfor & 0x0F);

    /// <summary>Number of source ranges, 1 to 256.</summary>
    public readonly int RangeCount => Nr + 1;
}

/// <summary>Copy source range entry of descriptor format 0h, 32 bytes (NVM Command Set Specification 1.0, Figure 33).</summary>
[StructLayout(LayoutKind.Explicit, Size = 32, Pack = 1)]
public struct CopySourceRange
{
    /// <summary>Starting LBA.</summary>
    [FieldOffset(8)] public ulong Slba;

    /// <summary>Number of Logical Blocks, 0's based.</summary>
    [FieldOffset(16)] public ushort Nlb;

    /// <summary>Expected Initial Logical Block Reference Tag.</summary>
    [FieldOffset(24)] public uint Eilbrt;

    /// <summary>Expected Logical Block Application Tag.</summary>
    [FieldOffset(28)] public ushort Elbat;

    /// <summary>Expected Logical Block Application Tag Mask.</summary>
    [FieldOffset(30)] public ushort Elbatm;
}
