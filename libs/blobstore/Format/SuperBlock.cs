using System.Buffers.Binary;

namespace Spindle.Blobs.Format;

/// <summary>The first 4096 bytes of a store: where everything is. Numbers are little-endian; <c>docs/formats/blobstore.md</c> has the table.</summary>
public sealed class SuperBlock
{
    /// <summary>Bytes on disk.</summary>
    public const int Size = 4096;
    /// <summary>Bytes before the reserved ones.</summary>
    public const int FieldBytes = 96;
    /// <summary>The version that is written.</summary>
    public const uint CurrentVersion = 3;
    /// <summary>The value of <see cref="SuperBlob"/> that stands for none.</summary>
    public const ulong NoBlob = ulong.MaxValue;

    private const int CrcAt = Size - 4;
    private byte[] _raw = new byte[Size];

    /// <summary>1 to 3; stores before 3 have no mask of blob ids.</summary>
    public uint Version { get; set; } = CurrentVersion;
    /// <summary>True when the masks on disk are those of the metadata pages.</summary>
    public bool Clean { get; set; }
    /// <summary>The blob that describes the store to its user; <see cref="NoBlob"/> for none.</summary>
    public ulong SuperBlob { get; set; } = NoBlob;
    /// <summary>Bytes of a cluster.</summary>
    public uint ClusterSize { get; set; }
    /// <summary>Page of the mask of used metadata pages.</summary>
    public uint PageMaskStart { get; set; }
    /// <summary>Pages of that mask.</summary>
    public uint PageMaskLength { get; set; }
    /// <summary>Page of the mask of used clusters.</summary>
    public uint ClusterMaskStart { get; set; }
    /// <summary>Pages of that mask.</summary>
    public uint ClusterMaskLength { get; set; }
    /// <summary>Page where the metadata region starts.</summary>
    public uint MetadataStart { get; set; }
    /// <summary>Pages of the metadata region.</summary>
    public uint MetadataLength { get; set; }
    /// <summary>16 bytes that say what the store is used for; zeroes for anything.</summary>
    public byte[] Type { get; set; } = new byte[16];
    /// <summary>Page of the mask of used blob ids.</summary>
    public uint BlobMaskStart { get; set; }
    /// <summary>Pages of that mask; 0 where there is none.</summary>
    public uint BlobMaskLength { get; set; }
    /// <summary>Bytes of the store; 0 for all of the device.</summary>
    public ulong StoreSize { get; set; }
    /// <summary>Bytes of the smallest I/O; 0 for 4096.</summary>
    public uint IoUnitSize { get; set; }
    /// <summary>Bytes of a page; 0 for 4096.</summary>
    public uint PageSize { get; set; }

    /// <summary>True when the bytes start as a store does, whatever else is wrong with them.</summary>
    public static bool HasSignature(ReadOnlySpan<byte> bytes) => bytes.Length >= 8 && bytes[..8].SequenceEqual("SPDKBLOB"u8);

    /// <summary>True when the checksum is that of the bytes.</summary>
    public static bool HasValidCrc(ReadOnlySpan<byte> bytes) => Crc32C.Of(bytes[..CrcAt]) == BinaryPrimitives.ReadUInt32LittleEndian(bytes[CrcAt..]);

    /// <summary>Reads the fields, whether they make sense or not.</summary>
    public static SuperBlock Decode(ReadOnlySpan<byte> bytes) => new()
    {
        _raw = bytes[..Size].ToArray(),
        Version = U32(bytes, 8),
        Clean = U32(bytes, 16) == 1,
        SuperBlob = U64(bytes, 20),
        ClusterSize = U32(bytes, 28),
        PageMaskStart = U32(bytes, 32),
        PageMaskLength = U32(bytes, 36),
        ClusterMaskStart = U32(bytes, 40),
        ClusterMaskLength = U32(bytes, 44),
        MetadataStart = U32(bytes, 48),
        MetadataLength = U32(bytes, 52),
        Type = bytes.Slice(56, 16).ToArray(),
        BlobMaskStart = U32(bytes, 72),
        BlobMaskLength = U32(bytes, 76),
        StoreSize = U64(bytes, 80),
        IoUnitSize = U32(bytes, 88),
        PageSize = U32(bytes, 92),
    };

    /// <summary>Writes the fields and the checksum; bytes that nobody knows stay as they were read.</summary>
    public byte[] Encode()
    {
        byte[] bytes = _raw.ToArray();
        "SPDKBLOB"u8.CopyTo(bytes);
        Put(bytes, 8, Version);
        Put(bytes, 12, Size);
        Put(bytes, 16, Clean ? 1u : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(20), SuperBlob);
        Put(bytes, 28, ClusterSize);
        Put(bytes, 32, PageMaskStart);
        Put(bytes, 36, PageMaskLength);
        Put(bytes, 40, ClusterMaskStart);
        Put(bytes, 44, ClusterMaskLength);
        Put(bytes, 48, MetadataStart);
        Put(bytes, 52, MetadataLength);
        Type.CopyTo(bytes, 56);
        Put(bytes, 72, BlobMaskStart);
        Put(bytes, 76, BlobMaskLength);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(80), StoreSize);
        Put(bytes, 88, IoUnitSize);
        Put(bytes, 92, PageSize);
        Put(bytes, CrcAt, Crc32C.Of(bytes.AsSpan(0, CrcAt)));
        return bytes;
    }

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static ulong U64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);

    private static void Put(byte[] bytes, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), value);
}
