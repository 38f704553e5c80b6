using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Spindle;
using Spindle.Bdevs;

namespace Acme.Checksum;

/// <summary>What is where on the base, in its blocks. All numbers are little-endian; every block of the module's own ends with a CRC32C of the rest of it.
/// <code>
/// 0        superblock: "ACMESUM1", version, geometry, UUID, name
/// 1        intent: a bit for each region that is being written to
/// 2 …      groups: the CRC32C of as many data blocks as fit into a block
/// then     data
/// </code></summary>
internal sealed class Layout
{
    public const ulong IntentBlock = 1, FirstGroupBlock = 2;
    public const int MaxNameBytes = 64;

    /// <summary>A checksum takes 4 bytes of memory.</summary>
    public const ulong MaxDataBlocks = 1UL << 28;

    private const uint Version = 1;
    private const int RegionBytes = 1 << 20;
    private static ReadOnlySpan<byte> Magic => "ACMESUM1"u8;

    private Layout(uint blockSize, ulong baseBlocks, Guid uuid, string name)
    {
        (BlockSize, BaseBlocks, Uuid, Name) = (blockSize, baseBlocks, uuid, name);
        PerGroup = blockSize / 4 - 1;
        DataBlocks = (baseBlocks - FirstGroupBlock) * PerGroup / (PerGroup + 1);
        while (FirstGroupBlock + GroupsFor(DataBlocks) + DataBlocks > baseBlocks) DataBlocks--;
        Groups = (int)GroupsFor(DataBlocks);
        FirstDataBlock = FirstGroupBlock + (ulong)Groups;
        int bits = (int)(blockSize - 4) * 8;
        // A group lies in one region, and a region's groups are all rebuilt with it.
        GroupsPerRegion = Math.Max((Groups + bits - 1) / bits, Math.Max(1, RegionBytes / (int)blockSize / (int)PerGroup));
        Regions = (Groups + GroupsPerRegion - 1) / GroupsPerRegion;
    }

    public uint BlockSize { get; }
    public ulong BaseBlocks { get; }
    public Guid Uuid { get; }
    public string Name { get; }

    /// <summary>Checksums in a group.</summary>
    public uint PerGroup { get; }

    public ulong DataBlocks { get; }
    public int Groups { get; }
    public ulong FirstDataBlock { get; }
    public int GroupsPerRegion { get; }
    public int Regions { get; }

    public ulong BlocksPerRegion => (ulong)GroupsPerRegion * PerGroup;

    private ulong GroupsFor(ulong data) => (data + PerGroup - 1) / PerGroup;

    [DataPath]
    public int RegionOf(ulong dataBlock) => (int)(dataBlock / PerGroup) / GroupsPerRegion;

    /// <summary>The layout of a new disk.</summary>
    public static Layout For(Bdev lower, string name, Guid uuid)
    {
        if (Encoding.UTF8.GetByteCount(name) is 0 or > MaxNameBytes) throw new SpindleException(Errno.EINVAL, $"name must have 1 to {MaxNameBytes} bytes.");
        if (lower.MetadataSize != 0) throw new SpindleException(Errno.EINVAL, $"base_bdev_name: '{lower.Name}' has {lower.MetadataSize} bytes of metadata in each block; a checksum disk needs a bdev without.");
        if (lower.BlockSize is < 512 or > 65536 || !BitOperations.IsPow2(lower.BlockSize)) throw new SpindleException(Errno.EINVAL, $"base_bdev_name: '{lower.Name}' has blocks of {lower.BlockSize} bytes; 512 to 65536, a power of two, are taken.");
        if (lower.BlockCount < 16) throw new SpindleException(Errno.EINVAL, $"base_bdev_name: '{lower.Name}' has {lower.BlockCount} blocks; a checksum disk needs 16.");
        if (lower.BlockCount > MaxDataBlocks) throw new SpindleException(Errno.EFBIG, $"base_bdev_name: '{lower.Name}' has {lower.BlockCount} blocks; at most {MaxDataBlocks} are taken, since a checksum takes 4 bytes of memory.");
        return new Layout(lower.BlockSize, lower.BlockCount, uuid, name);
    }

    /// <summary>Writes the superblock.</summary>
    public void Write(Span<byte> block)
    {
        block.Clear();
        Magic.CopyTo(block);
        BinaryPrimitives.WriteUInt32LittleEndian(block[8..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(block[12..], BlockSize);
        BinaryPrimitives.WriteUInt64LittleEndian(block[16..], BaseBlocks);
        Uuid.TryWriteBytes(block[24..]);
        block[40] = (byte)Encoding.UTF8.GetBytes(Name, block.Slice(41, MaxNameBytes));
        Seal(block);
    }

    /// <summary>Reads a superblock. What it says is checked against the bdev that it lies on.</summary>
    /// <param name="block">Block 0.</param>
    /// <param name="lower">The bdev.</param>
    /// <param name="problem">Null, or why it cannot be used although it is one.</param>
    /// <returns>Null when it is none, or cannot be used.</returns>
    public static Layout? Read(ReadOnlySpan<byte> block, Bdev lower, out string? problem)
    {
        problem = null;
        if (!block.StartsWith(Magic)) return null;
        if (!IsSealed(block)) problem = "its superblock is damaged (CRC32C)";
        else if (BinaryPrimitives.ReadUInt32LittleEndian(block[8..]) is var version && version != Version) problem = $"its superblock has version {version}, and this module knows {Version}";
        else if (BinaryPrimitives.ReadUInt32LittleEndian(block[12..]) is var size && size != lower.BlockSize) problem = $"it was made with blocks of {size} bytes, and the base has {lower.BlockSize}";
        else if (BinaryPrimitives.ReadUInt64LittleEndian(block[16..]) is var blocks && (blocks > lower.BlockCount || blocks < 16 || blocks > MaxDataBlocks)) problem = $"it was made on {blocks} blocks, and the base has {lower.BlockCount}";
        else if (block[40] is 0 or > MaxNameBytes) problem = "its superblock has no name";
        else return new Layout(lower.BlockSize, BinaryPrimitives.ReadUInt64LittleEndian(block[16..]), new Guid(block.Slice(24, 16)), Encoding.UTF8.GetString(block.Slice(41, block[40])));
        return null;
    }

    /// <summary>Puts the block's own checksum at its end.</summary>
    [DataPath]
    public static void Seal(Span<byte> block) => BinaryPrimitives.WriteUInt32LittleEndian(block[^4..], Crc32C.Of(block[..^4]));

    public static bool IsSealed(ReadOnlySpan<byte> block) => BinaryPrimitives.ReadUInt32LittleEndian(block[^4..]) == Crc32C.Of(block[..^4]);
}

/// <summary>CRC-32C (RFC 3720, B.4), by the processor's instruction where it has one.</summary>
internal static class Crc32C
{
    public const uint Start = uint.MaxValue;

    [DataPath]
    public static uint Of(ReadOnlySpan<byte> data) => ~Append(Start, data);

    /// <summary>Goes on with a checksum that began with <see cref="Start"/> and ends with its complement.</summary>
    [DataPath]
    public static uint Append(uint crc, ReadOnlySpan<byte> data)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(data);
        foreach (ulong word in words) crc = BitOperations.Crc32C(crc, word);
        foreach (byte rest in data[(words.Length * sizeof(ulong))..]) crc = BitOperations.Crc32C(crc, rest);
        return crc;
    }
}
