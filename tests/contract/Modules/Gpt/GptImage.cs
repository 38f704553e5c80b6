using System.Buffers.Binary;
using System.Text;

namespace Spindle.ContractTests.Modules.Gpt;

/// <summary>One entry of a table to be made.</summary>
public sealed record GptEntry(Guid Type, ulong First, ulong Last, string Name = "", Guid? Unique = null);

/// <summary>Both copies of a GUID partition table, made after UEFI 2.10, chapter 5.</summary>
public sealed class GptImage
{
    public static readonly Guid Spdk = new("6527994e-2c5a-4eec-9613-8f5944074e8b");
    public static readonly Guid SpdkOld = new("7c5222bd-8f5d-4087-9c00-bf9843c7b58c");
    public static readonly Guid Linux = new("0fc63daf-8483-4772-8e79-3d69d8477de4");

    private readonly int _blockSize;
    private readonly byte[] _entries;

    public GptImage(int blockSize, ulong blockCount, params GptEntry?[] entries)
    {
        (_blockSize, BlockCount) = (blockSize, blockCount);
        _entries = new byte[128 * 128];
        int entryBlocks = _entries.Length / blockSize;
        Area = new byte[Math.Max(32768, (2 * blockSize) + _entries.Length)];
        Backup = new byte[Area.Length];
        for (int i = 0; i < entries.Length; i++)
        {
            if (entries[i] is not { } entry) continue;
            var at = _entries.AsSpan(i * 128, 128);
            entry.Type.TryWriteBytes(at);
            (entry.Unique ?? new Guid($"00000000-0000-4000-8000-{i + 1:x12}")).TryWriteBytes(at[16..]);
            BinaryPrimitives.WriteUInt64LittleEndian(at[32..], entry.First);
            BinaryPrimitives.WriteUInt64LittleEndian(at[40..], entry.Last);
            Encoding.Unicode.GetBytes(entry.Name).CopyTo(at[56..]);
        }
        Area[450] = 0xee;
        BinaryPrimitives.WriteUInt32LittleEndian(Area.AsSpan(454), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(Area.AsSpan(458), (uint)Math.Min(blockCount - 1, uint.MaxValue));
        (Area[510], Area[511]) = (0x55, 0xaa);
        _entries.CopyTo(Area, 2 * blockSize);
        _entries.CopyTo(Backup, BackupEntries);
        WriteHeader(Header(Area, blockSize), 1, blockCount - 1, 2);
        WriteHeader(Header(Backup, Backup.Length - blockSize), blockCount - 1, 1, blockCount - 1 - (ulong)entryBlocks);
        Seal();
    }

    public ulong BlockCount { get; }

    /// <summary>The first blocks of the disk.</summary>
    public byte[] Area { get; }

    /// <summary>The last blocks of the disk.</summary>
    public byte[] Backup { get; }

    public int BackupEntries => Backup.Length - _blockSize - _entries.Length;

    private Span<byte> Header(byte[] area, int at) => area.AsSpan(at, _blockSize);

    private void WriteHeader(Span<byte> header, ulong own, ulong other, ulong entriesAt)
    {
        "EFI PART"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], 0x10000);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], 92);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], own);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], other);
        ulong entryBlocks = (ulong)(_entries.Length / _blockSize);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], 2 + entryBlocks);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], BlockCount - 2 - entryBlocks);
        BinaryPrimitives.WriteUInt64LittleEndian(header[72..], entriesAt);
        BinaryPrimitives.WriteUInt32LittleEndian(header[80..], 128);
        BinaryPrimitives.WriteUInt32LittleEndian(header[84..], 128);
    }

    /// <summary>Makes the CRCs right after a change, as far as the headers make sense.</summary>
    public void Seal()
    {
        Seal(Area, _blockSize, 2 * _blockSize);
        Seal(Backup, Backup.Length - _blockSize, BackupEntries);
    }

    private void Seal(byte[] area, int headerAt, int entriesAt)
    {
        var header = Header(area, headerAt);
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(header[80..]), size = BinaryPrimitives.ReadUInt32LittleEndian(header[12..]);
        if (count <= 128) BinaryPrimitives.WriteUInt32LittleEndian(header[88..], Crc(area.AsSpan(entriesAt, (int)count * 128)));
        header.Slice(16, 4).Clear();
        if (size is >= 92 && size <= _blockSize) BinaryPrimitives.WriteUInt32LittleEndian(header[16..], Crc(header[..(int)size]));
    }

    /// <summary>Bit by bit, as the polynomial says.</summary>
    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = ~0u;
        foreach (byte b in bytes)
        {
            crc ^= b;
            for (int i = 0; i < 8; i++) crc = (crc >> 1) ^ (0xedb88320 & (0u - (crc & 1)));
        }
        return ~crc;
    }

    /// <summary>Writes both copies to a file of the disk's size.</summary>
    public void WriteTo(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.SetLength((long)BlockCount * _blockSize);
        file.Write(Area);
        file.Position = file.Length - Backup.Length + BackupEntries;
        file.Write(Backup.AsSpan(BackupEntries));
    }
}
