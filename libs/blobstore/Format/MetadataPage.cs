using System.Buffers.Binary;

namespace Spindle.Blobs.Format;

/// <summary>A metadata page: 16 bytes of header, 4072 of descriptors, the next page, a CRC.</summary>
internal static class MetadataPage
{
    public const int Size = 4096;
    public const int DescriptorsAt = 16;
    public const int DescriptorBytes = 4072;
    public const uint NoPage = uint.MaxValue;
    /// <summary>Set in the upper half of every blob id; the lower is the page of its first metadata.</summary>
    public const ulong BlobIdBit = 1UL << 32;

    private const int NextAt = 4088;
    private const int CrcAt = 4092;

    public static ulong Id(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadUInt64LittleEndian(page);

    public static uint Sequence(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadUInt32LittleEndian(page[8..]);

    public static uint Reserved(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadUInt32LittleEndian(page[12..]);

    public static uint Next(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadUInt32LittleEndian(page[NextAt..]);

    public static bool IsValid(ReadOnlySpan<byte> page) => Crc32C.Of(page[..CrcAt]) == BinaryPrimitives.ReadUInt32LittleEndian(page[CrcAt..]);

    public static bool IsZero(ReadOnlySpan<byte> page) => page.IndexOfAnyExcept((byte)0) < 0;

    public static byte[] New(ulong id, uint sequence)
    {
        byte[] page = new byte[Size];
        BinaryPrimitives.WriteUInt64LittleEndian(page, id);
        SetSequence(page, sequence);
        SetNext(page, NoPage);
        return page;
    }

    public static void SetSequence(Span<byte> page, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(page[8..], value);

    public static void SetReserved(Span<byte> page, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(page[12..], value);

    public static void SetNext(Span<byte> page, uint next) => BinaryPrimitives.WriteUInt32LittleEndian(page[NextAt..], next);

    public static void Seal(Span<byte> page) => BinaryPrimitives.WriteUInt32LittleEndian(page[CrcAt..], Crc32C.Of(page[..CrcAt]));
}
