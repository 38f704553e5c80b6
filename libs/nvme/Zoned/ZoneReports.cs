using System.Runtime.InteropServices;

namespace Spindle.Nvme.Zoned;

/// <summary>The head of a Report Zones data structure, 64 bytes; descriptors follow (ZNS Command Set Specification 1.1, Figure 31).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct ZoneReportHeader
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 64;

    /// <summary>Number of Zones.</summary>
    [FieldOffset(0)] public ulong ZoneCount;
}

/// <summary>Zone Descriptor data structure, 64 bytes (ZNS Command Set Specification 1.1, Figure 32).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct ZoneDescriptor
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 64;

    /// <summary>Zone Type, bits 3:0.</summary>
    [FieldOffset(0)] public ZoneDescriptorType Type;

    /// <summary>Zone State in bits 7:4.</summary>
    [FieldOffset(1)] public byte StateBits;

    /// <summary>Zone Attributes.</summary>
    [FieldOffset(2)] public byte Attributes;

    /// <summary>Zone Attributes Information.</summary>
    [FieldOffset(3)] public byte AttributesInformation;

    /// <summary>Zone Capacity, logical blocks.</summary>
    [FieldOffset(8)] public ulong Capacity;

    /// <summary>Zone Start LBA.</summary>
    [FieldOffset(16)] public ulong StartLba;

    /// <summary>Write Pointer; all ones where it means nothing.</summary>
    [FieldOffset(24)] public ulong WritePointer;

    /// <summary>Zone State.</summary>
    public ZoneDescriptorState State
    {
        readonly get => (ZoneDescriptorState)(StateBits >> 4);
        set => StateBits = (byte)((byte)value << 4);
    }
}

/// <summary>Zone Type.</summary>
public enum ZoneDescriptorType : byte
{
    SequentialWriteRequired = 2,
}

/// <summary>Zone State (ZNS Command Set Specification 1.1, Figure 33).</summary>
public enum ZoneDescriptorState : byte
{
    Empty = 0x1,
    ImplicitlyOpened = 0x2,
    ExplicitlyOpened = 0x3,
    Closed = 0x4,
    ReadOnly = 0xD,
    Full = 0xE,
    Offline = 0xF,
}
