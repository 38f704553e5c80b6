using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Spindle.Nvme.Zoned;

/// <summary>Zoned Namespace command set specific Identify Namespace data structure, 4,096 bytes (CNS 05h, CSI 02h; ZNS Command Set Specification 1.1, Figure 48).</summary>
[StructLayout(LayoutKind.Explicit, Size = 4096, Pack = 1)]
public struct IdentifyNamespaceZoned
{
    /// <summary>Zone Operation Characteristics: bit 0 variable zone capacity, bit 1 zone active excursions.</summary>
    [FieldOffset(0)] public ushort Zoc;

    /// <summary>Optional Zoned Command Support.</summary>
    [FieldOffset(2)] public OptionalZonedCommandSupport Ozcs;

    /// <summary>Maximum Active Resources, 0's based; all ones: no limit.</summary>
    [FieldOffset(4)] public uint Mar;

    /// <summary>Maximum Open Resources, 0's based; all ones: no limit.</summary>
    [FieldOffset(8)] public uint Mor;

    /// <summary>Reset Recommended Limit, seconds; 0: none.</summary>
    [FieldOffset(12)] public uint Rrl;

    /// <summary>Finish Recommended Limit, seconds; 0: none.</summary>
    [FieldOffset(16)] public uint Frl;

    /// <summary>LBA Format Extensions, by the same index as the LBA formats of Identify Namespace.</summary>
    [FieldOffset(2816)] public LbaFormatExtensions Lbafe;
}

/// <summary>Optional Zoned Command Support.</summary>
[Flags]
public enum OptionalZonedCommandSupport : ushort
{
    None = 0,
    ReadAcrossZoneBoundaries = 1 << 0,
    ZoneRandomWriteArea = 1 << 1,
}

/// <summary>LBA Format Extension data structure, 16 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16, Pack = 1)]
public struct LbaFormatExtension
{
    /// <summary>Zone Size, logical blocks.</summary>
    [FieldOffset(0)] public ulong Zsze;

    /// <summary>Zone Descriptor Extension Size, units of 64 bytes; 0: none.</summary>
    [FieldOffset(8)] public byte Zdes;
}

/// <summary>The 64 LBA format extensions.</summary>
[InlineArray(64)]
public struct LbaFormatExtensions { private LbaFormatExtension element0; }

/// <summary>Zoned Namespace command set specific Identify Controller data structure, 4,096 bytes (CNS 06h, CSI 02h; ZNS Command Set Specification 1.1, Figure 50).</summary>
[StructLayout(LayoutKind.Explicit, Size = 4096, Pack = 1)]
public struct IdentifyControllerZoned
{
    /// <summary>Zone Append Size Limit: 2^ZASL units of CAP.MPSMIN; 0: as MDTS.</summary>
    [FieldOffset(0)] public byte Zasl;
}
