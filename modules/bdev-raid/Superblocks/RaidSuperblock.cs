using System.Buffers.Binary;
using System.Text;
using Spindle.Dif;

namespace Spindle.Bdev.Raid;

/// <summary>The state of a member as a superblock has it.</summary>
public enum SuperblockMemberState : uint
{
    /// <summary>It is not there.</summary>
    Missing = 0,
    /// <summary>It has the array's data.</summary>
    Configured = 1,
    /// <summary>It failed.</summary>
    Failed = 2,
    /// <summary>It waits to take another one's place.</summary>
    Spare = 3,
}

/// <summary>An array's superblock, version 1.0, as it lies at the start of each member; docs/formats/raid.md has the layout. What is not understood is kept.</summary>
public sealed class RaidSuperblock
{
    /// <summary>Bytes without members.</summary>
    public const int HeaderBytes = 256;
    /// <summary>Bytes of a member.</summary>
    public const int MemberBytes = 64;
    /// <summary>Bytes of the largest one.</summary>
    public const int MostBytes = HeaderBytes + 255 * MemberBytes;
    /// <summary>Bytes of an array's name, with the zero at its end.</summary>
    public const int NameBytes = 64;

    private readonly byte[] _bytes;

    private RaidSuperblock(byte[] bytes) => _bytes = bytes;

    /// <summary>Makes the superblock of a new array.</summary>
    public RaidSuperblock(Guid uuid, string name, uint level, uint stripBlocks, uint blockSize, ulong blockCount, int members)
    {
        _bytes = new byte[HeaderBytes + members * MemberBytes];
        "SPDKRAID"u8.CopyTo(_bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(8), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(12), (uint)_bytes.Length);
        uuid.TryWriteBytes(_bytes.AsSpan(24), bigEndian: true, out _);
        Encoding.UTF8.GetBytes(name, _bytes.AsSpan(40, NameBytes - 1));
        BlockCount = blockCount;
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(112), blockSize);
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(116), level);
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(120), stripBlocks);
        _bytes[136] = _bytes[255] = (byte)members;
    }

    /// <summary>Bytes of it all.</summary>
    public int Length => (int)BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(12));
    /// <summary>The array's UUID.</summary>
    public Guid Uuid => new(_bytes.AsSpan(24, 16), bigEndian: true);
    /// <summary>The array's name.</summary>
    public string Name
    {
        get
        {
            var name = _bytes.AsSpan(40, NameBytes);
            int end = name.IndexOf((byte)0);
            return Encoding.UTF8.GetString(end < 0 ? name : name[..end]);
        }
    }
    /// <summary>Blocks of the array.</summary>
    public ulong BlockCount
    {
        get => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(104));
        set => BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(104), value);
    }
    /// <summary>Bytes of data of a block.</summary>
    public uint BlockSize => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(112));
    /// <summary>The level's number.</summary>
    public uint Level => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(116));
    /// <summary>Blocks of a strip.</summary>
    public uint StripBlocks => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(120));
    /// <summary>Goes up by one with each change.</summary>
    public ulong Sequence
    {
        get => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(128));
        private set => BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(128), value);
    }
    /// <summary>Slots.</summary>
    public int SlotCount => _bytes[136];
    /// <summary>Entries for members.</summary>
    public int MemberCount => _bytes[255];

    /// <summary>An entry.</summary>
    public SuperblockMember Member(int index) => new(_bytes.AsSpan(HeaderBytes + index * MemberBytes, MemberBytes));

    /// <summary>The entry of a slot: of several the one that is configured; -1 for none.</summary>
    public int EntryOf(int slot)
    {
        int found = -1;
        for (int i = 0; i < MemberCount; i++)
            if (Member(i).Slot == slot && (found < 0 || Member(i).State == SuperblockMemberState.Configured)) found = i;
        return found;
    }

    /// <summary>The entry of a bdev; -1 for none.</summary>
    public int EntryOf(Guid uuid)
    {
        for (int i = 0; i < MemberCount; i++)
            if (Member(i).Uuid == uuid) return i;
        return -1;
    }

    /// <summary>A copy that does not change with this one.</summary>
    public RaidSuperblock Clone() => new((byte[])_bytes.Clone());

    /// <summary>A copy that is newer than another one.</summary>
    internal RaidSuperblock After(RaidSuperblock other)
    {
        var copy = Clone();
        copy.Sequence = Math.Max(Sequence, other.Sequence);
        return copy;
    }

    /// <summary>Whether both say the same.</summary>
    public bool SaysTheSame(RaidSuperblock other) => _bytes.AsSpan().SequenceEqual(other._bytes);

    /// <summary>Counts the sequence number up, and gives the bytes to be written.</summary>
    public ReadOnlySpan<byte> Seal()
    {
        Sequence++;
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(16), 0);
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(16), CrcOf(_bytes));
        return _bytes;
    }

    /// <summary>Whether bytes begin as a superblock does.</summary>
    public static bool IsOne(ReadOnlySpan<byte> bytes) => bytes.Length >= HeaderBytes && bytes[..8].SequenceEqual("SPDKRAID"u8);

    /// <summary>The length that a superblock says it has.</summary>
    public static uint LengthOf(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);

    /// <summary>Reads a superblock.</summary>
    /// <exception cref="SpindleException">EINVAL: it is damaged, or of another version; a sentence without the disk's name.</exception>
    public static RaidSuperblock Parse(ReadOnlySpan<byte> bytes)
    {
        if (!IsOne(bytes)) throw Bad("there is no signature");
        uint length = LengthOf(bytes);
        if (length is < HeaderBytes or > MostBytes || length > bytes.Length) throw Bad($"its length is {length}; it must be {HeaderBytes} to {MostBytes}");
        byte[] copy = bytes[..(int)length].ToArray();
        uint crc = BinaryPrimitives.ReadUInt32LittleEndian(copy.AsSpan(16));
        BinaryPrimitives.WriteUInt32LittleEndian(copy.AsSpan(16), 0);
        if (CrcOf(copy) != crc) throw Bad("its checksum is wrong");
        BinaryPrimitives.WriteUInt32LittleEndian(copy.AsSpan(16), crc);
        int major = BinaryPrimitives.ReadUInt16LittleEndian(copy.AsSpan(8));
        if (major != 1) throw Bad($"it is of version {major}; this is version 1");
        var read = new RaidSuperblock(copy);
        read.Check();
        return read;
    }

    /// <summary>Its sums are right; but who wrote it may have written anything.</summary>
    private void Check()
    {
        if (Length < HeaderBytes + MemberCount * MemberBytes) throw Bad($"its length is {Length}, too little for {MemberCount} members");
        if (Uuid == Guid.Empty) throw Bad("the array has no UUID");
        if (_bytes.AsSpan(40, NameBytes).IndexOf((byte)0) <= 0) throw Bad("the array has no name");
        if (SlotCount == 0) throw Bad("the array has no slots");
        var configured = new HashSet<int>();
        var uuids = new HashSet<Guid>();
        for (int i = 0; i < MemberCount; i++)
        {
            var member = Member(i);
            if (member.Slot >= SlotCount) throw Bad($"member {i} is in slot {member.Slot} of {SlotCount}");
            if (member.State > SuperblockMemberState.Spare) throw Bad($"member {i} is in state {(uint)member.State}");
            if (member.DataBlocks > ulong.MaxValue - member.DataOffset) throw Bad($"the data of member {i} ends beyond 64 bits");
            if (member.State != SuperblockMemberState.Configured) continue;
            if (!configured.Add(member.Slot)) throw Bad($"two members are in slot {member.Slot}");
            if (member.Uuid == Guid.Empty || !uuids.Add(member.Uuid)) throw Bad($"member {i} has no UUID of its own");
            if (member.DataBlocks == 0 || member.DataOffset < (ulong)Length / Math.Max(BlockSize, 1)) throw Bad($"the data of member {i} begins at block {member.DataOffset} and has {member.DataBlocks} blocks");
        }
    }

    private static unsafe uint CrcOf(byte[] bytes)
    {
        // The register starts as 0 and is not inverted at the end.
        fixed (byte* at = bytes) return ~Crc.Castagnoli(uint.MaxValue, at, (nuint)bytes.Length);
    }

    private static SpindleException Bad(string what) => new(Errno.EINVAL, what);
}
