using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Spindle;

namespace Acme.CompressedFile;

/// <summary>What is where in the file. All numbers are little-endian.
/// <code>
/// byte 0       superblock, 512 bytes: "ACMECZF1", version, sizes, UUID, CRC32C. Written once, never changed.
/// byte 4096    map: one entry of 32 bytes for each chunk (see <see cref="ChunkMap"/>)
/// then         units of 4 KiB, which hold compressed chunks
/// </code></summary>
internal static class StoreFormat
{
    public const uint BlockSize = 512, ChunkSize = 16384, UnitSize = 4096;
    public const uint BlocksPerChunk = ChunkSize / BlockSize;
    public const int UnitsPerChunk = (int)(ChunkSize / UnitSize);
    public const ulong MaxSizeMib = 16384;

    /// <summary>What a disk writes in one piece: a power cut leaves a sector as it was or as it was to be.</summary>
    public const int SectorSize = 512;
    public const int MapOffset = 4096;

    private const uint Version = 1;
    private static ReadOnlySpan<byte> Magic => "ACMECZF1"u8;

    public static int MapBytes(ulong chunks) => (int)((chunks * ChunkMap.EntrySize + UnitSize - 1) / UnitSize * UnitSize);

    public static long UnitsOffset(ulong chunks) => MapOffset + MapBytes(chunks);

    /// <summary>Units that the file may grow to: every chunk in its worst case, and room for new versions while the old ones are still what a power cut would leave.</summary>
    public static uint MaxUnits(ulong chunks) => (uint)(chunks * UnitsPerChunk) + ReserveUnits(chunks);

    public static uint ReserveUnits(ulong chunks) => Math.Max(1024, (uint)(chunks * UnitsPerChunk / 16));

    /// <summary>Makes the file of an empty disk. It appears under its name when it is whole.</summary>
    public static async Task CreateAsync(string path, ulong sizeMib, Guid uuid)
    {
        ulong chunks = (sizeMib << 20) / ChunkSize;
        byte[] head = new byte[SectorSize];
        Magic.CopyTo(head);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(8), Version);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(12), BlockSize);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(16), ChunkSize);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(20), UnitSize);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(24), chunks);
        uuid.TryWriteBytes(head.AsSpan(32));
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(^4), Crc32C.Of(head.AsSpan(..^4)));
        string fresh = path + ".new";
        try
        {
            await using (var file = new FileStream(fresh, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.Asynchronous, BufferSize = 0 }))
            {
                await file.WriteAsync(head);
                // The map of an empty disk is zeroes: a hole in the file.
                file.SetLength(UnitsOffset(chunks));
                await Task.Run(() => file.Flush(flushToDisk: true));
            }
            File.Move(fresh, path, overwrite: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (File.Exists(fresh)) File.Delete(fresh);
            throw new SpindleException(Errno.EIO, $"filename: {path} cannot be made: {e.Message}");
        }
    }

    /// <summary>Reads superblock and map, and takes the file for this process alone. Everything in it is checked: a file comes from anywhere.</summary>
    public static async Task<LoadedStore> LoadAsync(string path)
    {
        SafeFileHandle guard;
        try
        {
            guard = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, FileOptions.Asynchronous);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SpindleException(e is UnauthorizedAccessException ? Errno.EACCES : Errno.EBUSY, $"filename: {path} cannot be opened, or another disk has it: {e.Message}");
        }
        try
        {
            byte[] head = new byte[SectorSize];
            if (await ReadAsync(guard, head, 0) < head.Length || !head.AsSpan().StartsWith(Magic)) throw Invalid(path, "it is no compressed disk; name another file, or delete it to make a new one");
            if (BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(^4)) != Crc32C.Of(head.AsSpan(..^4))) throw Invalid(path, "its superblock is damaged (CRC32C); bring the file back from a copy");
            var (version, block, chunk, unit) = (Number(head, 8), Number(head, 12), Number(head, 16), Number(head, 20));
            if (version != Version || block != BlockSize || chunk != ChunkSize || unit != UnitSize) throw Invalid(path, $"its version {version} or sizes {block}/{chunk}/{unit} are not this module's; use the module that made it");
            ulong chunks = BinaryPrimitives.ReadUInt64LittleEndian(head.AsSpan(24));
            if (chunks == 0 || chunks > (MaxSizeMib << 20) / ChunkSize || chunks % (1048576 / ChunkSize) != 0) throw Invalid(path, $"its superblock says {chunks} chunks, which no disk has");
            byte[] map = new byte[MapBytes(chunks)];
            if (await ReadAsync(guard, map, MapOffset) < map.Length) throw Invalid(path, "it ends inside its map; bring the file back from a copy");
            var units = new UnitAllocator(MaxUnits(chunks));
            var loaded = ChunkMap.Load(map, chunks, units, out string? problem);
            return problem is null ? new LoadedStore(new Guid(head.AsSpan(32, 16)), loaded, units, guard) : throw Invalid(path, $"{problem}; bring the file back from a copy");
        }
        catch
        {
            guard.Dispose();
            throw;
        }
    }

    private static uint Number(byte[] head, int at) => BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(at));

    private static SpindleException Invalid(string path, string problem) => new(Errno.EINVAL, $"filename: {path} cannot be used: {problem}.");

    private static async Task<int> ReadAsync(SafeFileHandle file, byte[] buffer, long offset)
    {
        int done = 0;
        for (int read; done < buffer.Length && (read = await RandomAccess.ReadAsync(file, buffer.AsMemory(done), offset + done)) > 0;) done += read;
        return done;
    }
}

/// <summary>A store that was read. Disposing gives the file free for others.</summary>
internal sealed record LoadedStore(Guid Uuid, ChunkMap Map, UnitAllocator Units, SafeFileHandle Guard) : IDisposable
{
    public void Dispose() => Guard.Dispose();
}

/// <summary>CRC-32C (RFC 3720, B.4), by the processor's instruction where it has one.</summary>
internal static class Crc32C
{
    [DataPath]
    public static uint Of(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        var words = MemoryMarshal.Cast<byte, ulong>(data);
        foreach (ulong word in words) crc = BitOperations.Crc32C(crc, word);
        foreach (byte rest in data[(words.Length * sizeof(ulong))..]) crc = BitOperations.Crc32C(crc, rest);
        return ~crc;
    }
}
