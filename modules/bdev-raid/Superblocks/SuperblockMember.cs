using System.Buffers.Binary;

namespace Spindle.Bdev.Raid;

/// <summary>A member as a superblock has it, to be read and changed where it lies.</summary>
public readonly ref struct SuperblockMember(Span<byte> bytes)
{
    private readonly Span<byte> _bytes = bytes;

    /// <summary>The bdev.</summary>
    public Guid Uuid
    {
        get => new(_bytes[..16], bigEndian: true);
        set => value.TryWriteBytes(_bytes, bigEndian: true, out _);
    }

    /// <summary>The first block of data.</summary>
    public ulong DataOffset
    {
        get => BinaryPrimitives.ReadUInt64LittleEndian(_bytes[16..]);
        set => BinaryPrimitives.WriteUInt64LittleEndian(_bytes[16..], value);
    }

    /// <summary>Blocks of data.</summary>
    public ulong DataBlocks
    {
        get => BinaryPrimitives.ReadUInt64LittleEndian(_bytes[24..]);
        set => BinaryPrimitives.WriteUInt64LittleEndian(_bytes[24..], value);
    }

    /// <summary>The state.</summary>
    public SuperblockMemberState State
    {
        get => (SuperblockMemberState)BinaryPrimitives.ReadUInt32LittleEndian(_bytes[32..]);
        set => BinaryPrimitives.WriteUInt32LittleEndian(_bytes[32..], (uint)value);
    }

    /// <summary>The place in the array.</summary>
    public int Slot
    {
        get => _bytes[40];
        set => _bytes[40] = (byte)value;
    }

    /// <summary>How far it is rebuilt, in blocks of its data, while it is not configured. Kept where SPDK's format has nothing, with the superblock's sequence number: whoever changes the superblock
    /// and does not know of it counts that up, and makes it void by that.</summary>
    /// <param name="sequence">The superblock's.</param>
    /// <returns>0 when nothing is known.</returns>
    public ulong RebuiltBlocks(ulong sequence) =>
        sequence != 0 && BinaryPrimitives.ReadUInt64LittleEndian(_bytes[56..]) == sequence ? BinaryPrimitives.ReadUInt64LittleEndian(_bytes[48..]) : 0;

    /// <summary>Sets <see cref="RebuiltBlocks"/>.</summary>
    /// <param name="blocks">How far; 0 for nothing.</param>
    /// <param name="sequence">The sequence number with which the superblock will be written.</param>
    public void SetRebuiltBlocks(ulong blocks, ulong sequence)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes[48..], blocks);
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes[56..], blocks == 0 ? 0 : sequence);
    }
}
