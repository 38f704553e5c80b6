namespace Spindle.Blobs.Images;

/// <summary>Where a store's bytes come from: a bdev, or anything else that has them.</summary>
public interface IStoreSource
{
    /// <summary>Bytes of a block of the device.</summary>
    uint BlockSize { get; }

    /// <summary>Bytes of the device.</summary>
    ulong Size { get; }

    /// <summary>Reads whole blocks.</summary>
    /// <param name="offset">Bytes from the start, a multiple of the block.</param>
    /// <param name="length">Bytes, a multiple of the block.</param>
    /// <exception cref="SpindleException">They could not be read.</exception>
    Task<byte[]> ReadAsync(ulong offset, int length);
}

/// <summary>A store in an array of bytes.</summary>
/// <param name="bytes">All of it.</param>
/// <param name="blockSize">Bytes of a block.</param>
public sealed class MemoryStoreSource(byte[] bytes, uint blockSize) : IStoreSource
{
    /// <inheritdoc/>
    public uint BlockSize => blockSize;

    /// <inheritdoc/>
    public ulong Size => (ulong)bytes.Length;

    /// <inheritdoc/>
    public Task<byte[]> ReadAsync(ulong offset, int length) => Task.FromResult(bytes.AsSpan((int)offset, length).ToArray());
}
