using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Spindle.Nvme.Commands;

/// <summary>SGL Descriptor Type, bits 7:4 of byte 15 (NVMe Base Specification 2.0, Figure 90).</summary>
public enum SglDescriptorType : byte
{
    DataBlock = 0x0,
    BitBucket = 0x1,
    Segment = 0x2,
    LastSegment = 0x3,
    KeyedDataBlock = 0x4,
    TransportDataBlock = 0x5,
    VendorSpecific = 0xF,
}

/// <summary>SGL Descriptor Sub Type, bits 3:0 of byte 15 (NVMe Base Specification 2.0, Figure 91).</summary>
public enum SglDescriptorSubType : byte
{
    /// <summary>The address is a memory address.</summary>
    Address = 0x0,
    /// <summary>The address is an offset from the beginning of the in-capsule data.</summary>
    Offset = 0x1,
    /// <summary>NVMe transport specific (RDMA: keyed data block with remote invalidate, Fh; TCP: transport data block, Ah).</summary>
    TransportSpecific = 0xA,
    /// <summary>RDMA: invalidate the key after the transfer.</summary>
    InvalidateKey = 0xF,
}

/// <summary>Scatter Gather List descriptor, 16 bytes (NVMe Base Specification 2.0, section 4.1.2).</summary>
[StructLayout(LayoutKind.Explicit, Size = 16, Pack = 1)]
public struct SglDescriptor
{
    /// <summary>Memory address, or offset into the in-capsule data, by <see cref="SubType"/>.</summary>
    [FieldOffset(0)] public ulong Address;

    /// <summary>Length in bytes of an unkeyed descriptor (data block, bit bucket, segment, transport data block).</summary>
    [FieldOffset(8)] public uint Length;

    /// <summary>Bytes 12 to 14: reserved in an unkeyed descriptor; 32-bit key from byte 11 in a keyed one.</summary>
    [FieldOffset(12)] public ushort Reserved12;
    [FieldOffset(14)] public byte Reserved14;

    /// <summary>SGL Identifier: type in bits 7:4, sub type in bits 3:0.</summary>
    [FieldOffset(15)] public byte SglIdentifier;

    public SglDescriptorType Type
    {
        readonly get => (SglDescriptorType)(SglIdentifier >> 4);
        set => SglIdentifier = (byte)((SglIdentifier & 0x0F) | ((byte)value << 4));
    }

    public SglDescriptorSubType SubType
    {
        readonly get => (SglDescriptorSubType)(SglIdentifier & 0x0F);
        set => SglIdentifier = (byte)((SglIdentifier & 0xF0) | ((byte)value & 0x0F));
    }

    /// <summary>Length in bytes of a keyed data block: 24 bits.</summary>
    public readonly uint KeyedLength => Length & 0x00FF_FFFF;

    /// <summary>Key of a keyed data block: bytes 11 to 14.</summary>
    public readonly uint Key => (Length >> 24) | ((uint)Reserved12 << 8) | ((uint)Reserved14 << 24);

    /// <summary>Whether the descriptor names data inside the command capsule (data block with an offset).</summary>
    public readonly bool IsInCapsule => SglIdentifier == InCapsuleIdentifier;

    /// <summary>Whether the descriptor asks for a transport data transfer (NVMe/TCP: R2T or C2HData).</summary>
    public readonly bool IsTransportDataBlock => SglIdentifier == TransportIdentifier;

    /// <summary>Whether the command describes no data at all: every byte is zero.</summary>
    public readonly bool IsEmpty => Address == 0 && Length == 0 && Reserved12 == 0 && Reserved14 == 0 && SglIdentifier == 0;

    private const byte InCapsuleIdentifier = ((byte)SglDescriptorType.DataBlock << 4) | (byte)SglDescriptorSubType.Offset;
    private const byte TransportIdentifier = ((byte)SglDescriptorType.TransportDataBlock << 4) | (byte)SglDescriptorSubType.TransportSpecific;

    /// <summary>A data block inside the command capsule; <paramref name="offset"/> and <paramref name="length"/> in bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SglDescriptor InCapsule(ulong offset, uint length) => new() { Address = offset, Length = length, SglIdentifier = InCapsuleIdentifier };

    /// <summary>A transport data block of <paramref name="length"/> bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SglDescriptor TransportDataBlock(uint length) => new() { Length = length, SglIdentifier = TransportIdentifier };

    /// <summary>A keyed data block (RDMA); <paramref name="length"/> below 2^24.</summary>
    public static SglDescriptor KeyedDataBlock(ulong address, uint length, uint key, SglDescriptorSubType subType = SglDescriptorSubType.Address) => new()
    {
        Address = address,
        Length = (length & 0x00FF_FFFF) | (key << 24),
        Reserved12 = (ushort)(key >> 8),
        Reserved14 = (byte)(key >> 24),
        SglIdentifier = (byte)(((byte)SglDescriptorType.KeyedDataBlock << 4) | (byte)subType),
    };
}
