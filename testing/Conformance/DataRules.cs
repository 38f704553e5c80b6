namespace Spindle.Testing;

/// <summary>Reads and writes: what, where, in which vectors.</summary>
internal static class DataRules
{
    public static IEnumerable<ConformanceRule> All =>
    [
        new("data.read-back", "What was written is read, at the start, in the middle and at the end.", ReadBackAsync),
        new("data.neighbours", "A write changes its own blocks and no others.", NeighboursAsync, needsData: true),
        new("data.in-place", "Memory that is lent for reading, and data that is taken at once, are the blocks' that reads and writes have.", InPlaceAsync, needsData: true),
        new("data.large", "One I/O over many megabytes is done whole, or split by the limits that the bdev declares.", LargeAsync),
        new("bounds.last-block", "Every block up to the last can be read and written, alone and with those before it.", LastBlockAsync),
        new("vectors.split", "An I/O may be split into vectors anywhere, at any alignment the bdev does not rule out by RequiredAlignment.", SplitAsync),
        new("vectors.many", "Hundreds of vectors make one I/O, unless MaxSegments says otherwise.", ManyAsync),
        new("vectors.empty", "Vectors without a byte are passed over.", EmptyAsync),
        new("alignment.any", "Buffers at any address work; a bdev that needs alignment declares it, and gets it.", AlignmentAsync),
    ];

    private static async Task ReadBackAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        ulong most = await run.LongestWriteAsync(client);
        foreach (var (asked, wanted) in new (ulong, ulong)[] { (0, 1), (1, 1), (7, 13), (run.Blocks - 1, 1), (run.Blocks - 64, 64), (0, 128) })
        {
            ulong blocks = Math.Min(wanted, most);
            byte[] data = run.RandomBytes(blocks);
            ulong offset = await run.PlaceAsync(client, asked, blocks);
            await client.WriteBytesAsync(offset, data);
            byte[] read = await client.ReadBytesAsync(offset, blocks);
            if (run.Subject.KeepsData) Check.Same(data, read, $"read of {blocks} blocks at {offset}");
        }
    }

    private static async Task NeighboursAsync(ConformanceRun run)
    {
        run.NeedsAnyOrder();
        var client = await run.OpenAsync();
        byte[] image = run.RandomBytes(32);
        await client.WriteBytesAsync(100, image);
        for (int round = 0; round < 12; round++)
        {
            ulong blocks = (ulong)run.Random.Next(1, 6), at = (ulong)run.Random.Next(1, 31 - (int)blocks);
            byte[] data = run.RandomBytes(blocks);
            await client.WriteBytesAsync(100 + at, data);
            data.CopyTo(image, (int)at * run.BlockSize);
            Check.Same(image, await client.ReadBytesAsync(100, 32), $"the blocks around a write of {blocks} blocks at {100 + at}");
        }
    }

    // A bdev that does neither is read and written here as everywhere.
    private static async Task InPlaceAsync(ConformanceRun run)
    {
        run.NeedsAnyOrder();
        var client = await run.OpenAsync();
        byte[] image = run.RandomBytes(32);
        await client.WriteBytesAsync(run.Blocks - 32, image);
        for (int round = 0; round < 24; round++)
        {
            ulong blocks = (ulong)run.Random.Next(1, 9), at = (ulong)run.Random.Next(0, 33 - (int)blocks), offset = run.Blocks - 32 + at;
            byte[] data = run.RandomBytes(blocks);
            bool taken = false;
            await client.OnThreadAsync(() => taken = client.Channel.TryWriteAtOnce(offset, data));
            if (!taken) await client.WriteBytesAsync(offset, data);
            data.CopyTo(image, (int)at * run.BlockSize);
            Check.Same(image, await client.ReadBytesAsync(run.Blocks - 32, 32), $"the blocks around {blocks} blocks at {offset} that were {(taken ? "taken at once" : "written")}");
            byte[]? lent = null;
            await client.OnThreadAsync(() => lent = client.Channel.TryReadInPlace(offset, blocks, out var memory) ? memory.Span.ToArray() : null);
            if (lent is not null) Check.Same(data, lent, $"the memory that is lent for {blocks} blocks at {offset}");
        }
        bool outside = false;
        await client.OnThreadAsync(() => outside = client.Channel.TryWriteAtOnce(run.Blocks - 1, run.RandomBytes(2)) || client.Channel.TryReadInPlace(run.Blocks, 1, out _)
            || client.Channel.TryWriteAtOnce(0, run.RandomBytes(1).AsSpan(1)));
        Check.That(!outside, "blocks beyond the end, or half a block, are lent or taken");
    }

    private static async Task LargeAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        ulong blocks = Math.Min(await run.LongestWriteAsync(client), (8UL << 20) / (ulong)run.BlockSize), at = await run.PlaceAsync(client, 0, blocks);
        byte[] data = run.RandomBytes(blocks);
        await client.WriteBytesAsync(at, data);
        using var unaligned = new TestBuffer(data.Length, 13);
        Check.Succeeded(await client.ReadAsync(unaligned, at, blocks), $"read of {blocks} blocks into unaligned memory");
        if (run.Subject.KeepsData) Check.Same(data, unaligned.ToArray(), $"read of {blocks} blocks");
    }

    private static async Task LastBlockAsync(ConformanceRun run)
    {
        run.NeedsAnyOrder();
        var client = await run.OpenAsync();
        for (ulong blocks = 1; blocks <= 64; blocks *= 2)
        {
            byte[] data = run.RandomBytes(blocks);
            await client.WriteBytesAsync(run.Blocks - blocks, data);
            byte[] read = await client.ReadBytesAsync(run.Blocks - blocks, blocks);
            if (run.Subject.KeepsData) Check.Same(data, read, $"the last {blocks} blocks");
        }
    }

    private static async Task SplitAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        var random = run.Random;
        for (int round = 0; round < 16; round++)
        {
            ulong blocks = (ulong)random.Next(1, 40), offset = (ulong)random.Next(0, (int)Math.Min(run.Blocks, 1 << 20) - (int)blocks);
            offset = await run.PlaceAsync(client, offset, blocks);
            int bytes = (int)blocks * run.BlockSize;
            byte[] data = run.RandomBytes(blocks);
            using var write = new TestBuffer(TestBuffer.OddSplit(random, bytes, random.Next(2, 30)), random.Next(0, 64));
            write.Set(data);
            Check.Succeeded(await client.WriteAsync(write, offset, blocks), $"write of {write.Vectors.Length} vectors");
            using var read = new TestBuffer(TestBuffer.OddSplit(random, bytes, random.Next(2, 30)), random.Next(0, 64));
            read.Fill(0xEE);
            Check.Succeeded(await client.ReadAsync(read, offset, blocks), $"read of {read.Vectors.Length} vectors");
            if (run.Subject.KeepsData) Check.Same(data, read.ToArray(), $"round {round}: {blocks} blocks at {offset} in {write.Vectors.Length} and {read.Vectors.Length} vectors");
        }
    }

    private static async Task ManyAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        ulong blocks = Math.Min(200, await run.LongestWriteAsync(client));
        ulong at = await run.PlaceAsync(client, 5, blocks);
        byte[] data = run.RandomBytes(blocks);
        int[] lengths = [.. Enumerable.Repeat(run.BlockSize, (int)blocks)];
        using var write = new TestBuffer(lengths);
        write.Set(data);
        Check.Succeeded(await client.WriteAsync(write, at, blocks), $"write of {blocks} vectors");
        using var read = new TestBuffer(lengths);
        Check.Succeeded(await client.ReadAsync(read, at, blocks), $"read of {blocks} vectors");
        if (run.Subject.KeepsData) Check.Same(data, read.ToArray(), $"read of {blocks} vectors");
    }

    private static async Task EmptyAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        byte[] data = run.RandomBytes(2);
        ulong at = await run.PlaceAsync(client, 9, 2);
        using var buffer = new TestBuffer([0, run.BlockSize, 0, 0, run.BlockSize, 0]);
        buffer.Set(data);
        Check.Succeeded(await client.WriteAsync(buffer, at, 2), "write with empty vectors");
        buffer.Fill(0);
        Check.Succeeded(await client.ReadAsync(buffer, at, 2), "read with empty vectors");
        if (run.Subject.KeepsData) Check.Same(data, buffer.ToArray(), "read with empty vectors");
    }

    private static async Task AlignmentAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        foreach (int misalignment in new[] { 0, 1, 2, 4, 63, 511, 512, 2048 })
        {
            byte[] data = run.RandomBytes(8);
            ulong at = await run.PlaceAsync(client, 3, 8);
            using var buffer = new TestBuffer(data.Length, misalignment);
            buffer.Set(data);
            Check.Succeeded(await client.WriteAsync(buffer, at, 8), $"write from an address {misalignment} past a multiple of 4096");
            buffer.Fill(0);
            Check.Succeeded(await client.ReadAsync(buffer, at, 8), $"read to an address {misalignment} past a multiple of 4096");
            if (run.Subject.KeepsData) Check.Same(data, buffer.ToArray(), $"misalignment {misalignment}");
        }
    }
}
