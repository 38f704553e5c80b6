using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Bdev.Raid;

/// <summary>Reads and writes superblocks, by the data of blocks alone. On the app thread.</summary>
internal static class SuperblockIo
{
    /// <summary>Reads a superblock's bytes.</summary>
    /// <param name="descriptor">The disk, open.</param>
    /// <param name="memory">Where buffers come from.</param>
    /// <param name="removed">The disk is going: what is read ends.</param>
    /// <returns>Null when there is none.</returns>
    /// <exception cref="SpindleException">EIO: the disk cannot be read. EINVAL: it says that it is longer than one can be.</exception>
    public static async Task<byte[]?> ReadAsync(IBdevDescriptor descriptor, IDmaMemory memory, CancellationToken removed = default)
    {
        uint block = DataBlockSize(descriptor.Bdev);
        var channel = descriptor.GetHidingChannel();
        try
        {
            ulong blocks = BlocksOf(RaidSuperblock.HeaderBytes, block);
            byte[] bytes = await ReadAsync(channel, memory, block, blocks, removed);
            if (!RaidSuperblock.IsOne(bytes)) return null;
            uint length = RaidSuperblock.LengthOf(bytes);
            if (length > RaidSuperblock.MostBytes) throw new SpindleException(Errno.EINVAL, $"its length is {length}; it must be at most {RaidSuperblock.MostBytes}");
            return BlocksOf(length, block) <= blocks ? bytes : await ReadAsync(channel, memory, block, BlocksOf(length, block), removed);
        }
        finally
        {
            channel.Put();
        }
    }

    /// <summary>Writes a superblock and makes it durable.</summary>
    /// <exception cref="SpindleException">EIO: the disk cannot be written.</exception>
    public static async Task WriteAsync(IBdevDescriptor descriptor, IDmaMemory memory, byte[] bytes)
    {
        uint block = DataBlockSize(descriptor.Bdev);
        ulong blocks = BlocksOf((uint)bytes.Length, block);
        using var buffer = memory.Allocate((nuint)(blocks * block));
        var vector = buffer.Slice(0, (uint)(blocks * block));
        vector.Span.Clear();
        bytes.CopyTo(vector.Span);
        var channel = descriptor.GetHidingChannel();
        try
        {
            await MemberIo.RunAsync(channel, (c, done, state) => c.Write([vector], 0, blocks, done, state), "written");
            if (descriptor.Bdev.Supports(BdevIoType.Flush)) await MemberIo.RunAsync(channel, (c, done, state) => c.Flush(0, blocks, done, state), "flushed");
        }
        finally
        {
            channel.Put();
        }
    }

    internal static uint DataBlockSize(Bdevs.Bdev bdev) => bdev.MetadataInterleaved ? bdev.BlockSize - bdev.MetadataSize : bdev.BlockSize;

    private static async Task<byte[]> ReadAsync(IBdevChannel channel, IDmaMemory memory, uint block, ulong blocks, CancellationToken removed)
    {
        using var buffer = memory.Allocate((nuint)(blocks * block));
        var vector = buffer.Slice(0, (uint)(blocks * block));
        await MemberIo.RunAsync(channel, (c, done, state) => c.Read([vector], 0, blocks, done, state), "read", removed);
        return vector.Span.ToArray();
    }

    private static ulong BlocksOf(uint bytes, uint block) => (bytes + block - 1) / block;
}
