using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>The types of I/O that a bdev claims by <see cref="Bdev.Supports"/>, and those the host makes of others.</summary>
internal static class TypeRules
{
    public static IEnumerable<ConformanceRule> All =>
    [
        new("types.claimed", "Every type that the bdev claims to support succeeds.", ClaimedAsync),
        new("types.write-zeroes", "Write zeroes makes its blocks read as zero, and no others.", WriteZeroesAsync, needsData: true),
        new("types.unmap", "Unmap deallocates its blocks and no others.", UnmapAsync),
        new("types.compare", "Compare tells equal from different, be it by one bit anywhere.", CompareAsync, needsData: true),
        new("types.compare-and-write", "Compare-and-write writes if equal and else changes nothing.", CompareAndWriteAsync, needsData: true),
        new("types.copy", "Copy copies.", CopyAsync, needsData: true),
        new("types.seek", "Seek finds a block at or after the one asked for, of the kind asked for, or says that there is none.", SeekAsync),
    ];

    private static async Task ClaimedAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        ulong at = await run.PlaceAsync(client, 0, 8);
        await client.WriteBytesAsync(at, run.RandomBytes(8));
        using var buffer = new TestBuffer(run.BlockSize);
        var read = await client.ReadBytesAsync(at, 1);
        buffer.Set(read);
        Check.That(run.Can(BdevIoType.Read), "it does not claim read; every bdev reads");
        foreach (var (type, submit) in new (BdevIoType, Func<Task<Outcome>>)[]
        {
            (BdevIoType.Flush, () => client.FlushAsync(0, run.Blocks)), (BdevIoType.Unmap, () => client.UnmapAsync(200, 1)),
            (BdevIoType.WriteZeroes, () => client.WriteZeroesAsync(201, 1)), (BdevIoType.Reset, client.ResetAsync),
            (BdevIoType.Compare, () => client.CompareAsync(buffer, at, 1)), (BdevIoType.CompareAndWrite, () => client.CompareAndWriteAsync(buffer, buffer, 0, 1)),
            (BdevIoType.Copy, () => client.CopyAsync(210, 0, 2)),
        })
            // The others would write where a zoned bdev is not written; the rules zones.* look at what it has.
            if (run.Can(type) && (!run.Bdev.IsZoned || type is BdevIoType.Flush or BdevIoType.Reset or BdevIoType.Compare) && (run.Subject.KeepsData || type is not (BdevIoType.Compare or BdevIoType.CompareAndWrite))) Check.Succeeded(await submit(), $"{type}, which Supports claims");
    }

    private static async Task WriteZeroesAsync(ConformanceRun run)
    {
        run.NeedsAnyOrder();
        var client = await run.OpenAsync();
        byte[] data = run.RandomBytes(64);
        await client.WriteBytesAsync(32, data);
        Check.Succeeded(await client.WriteZeroesAsync(40, 11), "write zeroes");
        data.AsSpan(8 * run.BlockSize, 11 * run.BlockSize).Clear();
        Check.Same(data, await client.ReadBytesAsync(32, 64), "the blocks around write zeroes of 11 blocks at 40");
        Check.Succeeded(await client.WriteZeroesAsync(0, run.Blocks), "write zeroes over all");
        Check.Zero(await client.ReadBytesAsync(0, 128), "the first blocks after write zeroes over all");
        Check.Zero(await client.ReadBytesAsync(run.Blocks - 1, 1), "the last block after write zeroes over all");
    }

    private static async Task UnmapAsync(ConformanceRun run)
    {
        if (!run.Can(BdevIoType.Unmap)) throw new NotApplicableException("it does not claim unmap");
        run.NeedsAnyOrder();
        var client = await run.OpenAsync();
        byte[] data = run.RandomBytes(64);
        await client.WriteBytesAsync(32, data);
        Check.Succeeded(await client.UnmapAsync(33, 62), "unmap");
        int block = run.BlockSize;
        byte[] read = await client.ReadBytesAsync(32, 64);
        if (run.Subject.KeepsData)
        {
            Check.Same(data.AsSpan(..block), read.AsSpan(..block), "the block before the unmapped ones");
            Check.Same(data.AsSpan(^block..), read.AsSpan(^block..), "the block behind the unmapped ones");
            if (run.Subject.UnmapsToZero) Check.Zero(read.AsSpan(block..^block), "the unmapped blocks");
        }
        Check.Succeeded(await client.UnmapAsync(0, run.Blocks), "unmap of all");
        Check.Succeeded(await client.UnmapAsync(run.Blocks - 1, 1), "unmap of the last block");
    }

    private static async Task CompareAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        int bytes = 20 * run.BlockSize;
        byte[] data = run.RandomBytes(20);
        ulong place = await run.PlaceAsync(client, 77, 20);
        await client.WriteBytesAsync(place, data);
        foreach (int misalignment in new[] { 0, 3 })
        {
            using var buffer = new TestBuffer(TestBuffer.OddSplit(run.Random, bytes, 5), misalignment);
            buffer.Set(data);
            Check.Succeeded(await client.CompareAsync(buffer, place, 20), "compare of equal data");
            foreach (int at in new[] { 0, bytes / 2, bytes - 1 })
            {
                byte[] other = [.. data];
                other[at] ^= 1;
                buffer.Set(other);
                var outcome = await client.CompareAsync(buffer, place, 20);
                Check.That(outcome.Status == BdevIoStatus.Miscompare, $"compare with a bit changed in byte {at}: {outcome}, expected {BdevIoStatus.Miscompare}");
            }
        }
    }

    private static async Task CompareAndWriteAsync(ConformanceRun run)
    {
        run.NeedsAnyOrder();
        var client = await run.OpenAsync();
        int bytes = 3 * run.BlockSize;
        byte[] first = run.RandomBytes(3), second = run.RandomBytes(3);
        await client.WriteBytesAsync(50, first);
        using var compare = new TestBuffer(bytes, 1);
        using var write = new TestBuffer([bytes - 5, 5], 2);
        compare.Set(second);
        write.Set(second);
        var outcome = await client.CompareAndWriteAsync(compare, write, 50, 3);
        Check.That(outcome.Status == BdevIoStatus.Miscompare, $"compare-and-write with other data: {outcome}, expected {BdevIoStatus.Miscompare}");
        Check.Same(first, await client.ReadBytesAsync(50, 3), "after a miscompare");
        compare.Set(first);
        Check.Succeeded(await client.CompareAndWriteAsync(compare, write, 50, 3), "compare-and-write of equal data");
        Check.Same(second, await client.ReadBytesAsync(50, 3), "after compare-and-write");
    }

    private static async Task CopyAsync(ConformanceRun run)
    {
        run.NeedsAnyOrder();
        var client = await run.OpenAsync();
        byte[] data = run.RandomBytes(60);
        await client.WriteBytesAsync(180, data);
        byte[] around = run.RandomBytes(64);
        await client.WriteBytesAsync(98, around);
        Check.Succeeded(await client.CopyAsync(100, 180, 60), "copy");
        data.CopyTo(around, 2 * run.BlockSize);
        Check.Same(around, await client.ReadBytesAsync(98, 64), "the copy and the blocks around it");
        Check.Same(data, await client.ReadBytesAsync(180, 60), "the blocks copied from");
    }

    private static async Task SeekAsync(ConformanceRun run)
    {
        if (!run.Can(BdevIoType.SeekData) && !run.Can(BdevIoType.SeekHole)) throw new NotApplicableException("it does not claim seeks");
        run.NeedsAnyOrder();
        var client = await run.OpenAsync();
        await client.WriteBytesAsync(64, run.RandomBytes(16));
        foreach (ulong from in new ulong[] { 0, 63, 64, 70, 79, 80, run.Blocks - 1 })
        {
            foreach (bool data in new[] { true, false })
            {
                if (!run.Can(data ? BdevIoType.SeekData : BdevIoType.SeekHole)) continue;
                ulong found = await SeekAsync(client, from, data);
                Check.That(found == ulong.MaxValue || (found >= from && found < run.Blocks),
                    $"seek {(data ? "data" : "hole")} from {from} found {found}, which is before it or beyond the {run.Blocks} blocks");
            }
        }
        // Written blocks are data, whatever the bdev's granularity: a seek from inside them stays where it is.
        if (run.Can(BdevIoType.SeekData)) Check.That(await SeekAsync(client, 70, data: true) == 70, "seek data from 70, which is written, did not find 70");
    }

    private static async Task<ulong> SeekAsync(BdevClient client, ulong from, bool data)
    {
        var outcome = await client.SubmitAsync((c, done, state) => data ? c.SeekData(from, done, state) : c.SeekHole(from, done, state));
        Check.Succeeded(outcome, data ? "seek data" : "seek hole");
        return outcome.Result.Value;
    }
}
