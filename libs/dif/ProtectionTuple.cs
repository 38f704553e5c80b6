using System.Buffers.Binary;
using Spindle.Bdevs;

namespace Spindle.Dif;

/// <summary>What verification found.</summary>
public enum DifResult : byte
{
    /// <summary>All that was checked fits.</summary>
    Ok = 0,
    /// <summary>The guard does not fit the data.</summary>
    Guard,
    /// <summary>The application tag is another one.</summary>
    ApplicationTag,
    /// <summary>The reference tag does not fit the block's address.</summary>
    ReferenceTag,
}

/// <summary>The protection information of one block, out of its bytes.</summary>
/// <param name="Guard">CRC of the data.</param>
/// <param name="ApplicationTag">Opaque; FFFFh turns the checks off.</param>
/// <param name="ReferenceTag">Usually the low bits of the block address.</param>
[DataPath]
internal readonly record struct ProtectionTuple(ulong Guard, ushort ApplicationTag, ulong ReferenceTag)
{
    internal const ushort EscapeApplicationTag = 0xFFFF;

    internal static int SizeOf(DifFormat format) => format == DifFormat.Guard16 ? 8 : 16;

    internal static ulong ReferenceMask(DifFormat format) => format switch
    {
        DifFormat.Guard16 => uint.MaxValue,
        DifFormat.Guard32 => ulong.MaxValue,
        _ => 0xFFFF_FFFF_FFFF,
    };

    internal static ProtectionTuple Read(ReadOnlySpan<byte> bytes, DifFormat format) => format switch
    {
        DifFormat.Guard16 => new(BinaryPrimitives.ReadUInt16BigEndian(bytes), BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]),
            BinaryPrimitives.ReadUInt32BigEndian(bytes[4..])),
        DifFormat.Guard32 => new(BinaryPrimitives.ReadUInt32BigEndian(bytes), BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[8..])),
        _ => new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt16BigEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]) & 0xFFFF_FFFF_FFFF),
    };

    internal void Write(Span<byte> bytes, DifFormat format)
    {
        switch (format)
        {
            case DifFormat.Guard16:
                BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)Guard);
                BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], ApplicationTag);
                BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], (uint)ReferenceTag);
                break;
            case DifFormat.Guard32:
                BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)Guard);
                BinaryPrimitives.WriteUInt16BigEndian(bytes[4..], ApplicationTag);
                BinaryPrimitives.WriteUInt16BigEndian(bytes[6..], 0);
                BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], ReferenceTag);
                break;
            default:
                BinaryPrimitives.WriteUInt64BigEndian(bytes, Guard);
                BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], (ulong)ApplicationTag << 48 | ReferenceTag & 0xFFFF_FFFF_FFFF);
                break;
        }
    }
}
