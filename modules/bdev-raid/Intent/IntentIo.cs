using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Bdev.Raid.Intent;

/// <summary>Reads and writes bitmaps, by the data of blocks alone. On the app thread.</summary>
internal static class IntentIo
{
    /// <summary>Reads a bitmap to the beginning of the memory.</summary>
    /// <exception cref="SpindleException">EIO.</exception>
    internal static Task ReadAsync(IBdevDescriptor descriptor, DmaBuffer memory, int length) =>
        RunAsync(descriptor, 0, length, (channel, at, blocks, done, state) => channel.Read([memory.Slice(0, (uint)length)], at, blocks, done, state), "read");

    /// <summary>Writes a part of a bitmap that lies in the memory at the same place, and makes it durable.</summary>
    /// <exception cref="SpindleException">EIO.</exception>
    internal static async Task WriteAsync(IBdevDescriptor descriptor, DmaBuffer memory, int offset, int length)
    {
        await RunAsync(descriptor, offset, length, (channel, at, blocks, done, state) => channel.Write([memory.Slice((nuint)offset, (uint)length)], at, blocks, done, state), "written");
        await FlushAsync(descriptor);
    }

    /// <summary>Makes durable what was written to a bdev that may lose it.</summary>
    /// <exception cref="SpindleException">EIO.</exception>
    internal static Task FlushAsync(IBdevDescriptor descriptor) => !descriptor.Bdev.WriteCache || !descriptor.Bdev.Supports(BdevIoType.Flush) ? Task.CompletedTask
        : RunAsync(descriptor, 0, 0, static (channel, _, _, done, state) => channel.Flush(0, channel.Bdev.BlockCount, done, state), "flushed");

    private static async Task RunAsync(IBdevDescriptor descriptor, int offset, int length, Func<IBdevChannel, ulong, ulong, BdevIoCallback, object, int> submit, string what)
    {
        uint block = SuperblockIo.DataBlockSize(descriptor.Bdev);
        var channel = descriptor.GetHidingChannel();
        try
        {
            ulong at = (IntentFormat.Start + (ulong)offset) / block, blocks = (ulong)length / block;
            await MemberIo.RunAsync(channel, (c, done, state) => submit(c, at, blocks, done, state), what);
        }
        finally
        {
            channel.Put();
        }
    }
}
