using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>Load on a zoned bdev: as many of a thread's slots as may have a zone of their own write it from end to end again and again; the others ask what the zones are.</summary>
internal static class ZoneLoad
{
    /// <summary>As <see cref="ConcurrencyRules.LoadAsync"/>, which calls it.</summary>
    public static async Task<LoadResult> RunAsync(ConformanceRun run, BdevClient client, int worker, int depth, CancellationToken stop, int minimum)
    {
        var bdev = client.Bdev;
        ulong zones = ZonePlaces.AtATime(bdev);
        ulong each = zones / ConcurrencyRules.Workers;
        if (each == 0) throw new NotApplicableException($"{ConcurrencyRules.Workers} threads cannot each have one of {zones} zones");
        var result = new LoadResult();
        await Task.WhenAll(Enumerable.Range(0, depth).Select(slot => (ulong)slot < each
            ? WriteAsync(run, client, ((ulong)worker * each + (ulong)slot) * bdev.ZoneSizeBlocks, new Random(worker * 1000 + slot), result, minimum, stop)
            : AskAsync(client, new Random(worker * 1000 + slot), result, minimum, stop)));
        return result;
    }

    private static async Task WriteAsync(ConformanceRun run, BdevClient client, ulong zone, Random random, LoadResult result, int minimum, CancellationToken stop)
    {
        // Its own way of asking, since the bdev may be on its way out.
        var info = new BdevZoneInfo[1];
        if (!result.Add(await client.GetZoneInfoAsync(zone, info))) return;
        ulong capacity = info[0].Capacity, most = Math.Min(8, capacity), at = 0;
        using var buffer = new TestBuffer((int)(most * client.BlockSize));
        bool known = false;
        byte[]? kept = null;
        for (int i = 0; i < minimum || !stop.IsCancellationRequested; i++)
        {
            if (!known || at + most > capacity)
            {
                var reset = await client.ZoneManagementAsync(zone, BdevZoneAction.Reset);
                if (!result.Add(reset)) return;
                (known, at, kept) = (reset.IsSuccess, 0, null);
            }
            else if (kept is null || random.Next(2) == 0)
            {
                byte[] data = new byte[buffer.Length];
                random.NextBytes(data);
                buffer.Set(data);
                var outcome = await client.WriteAsync(buffer, zone + at, most);
                if (!result.Add(outcome)) return;
                // What came of one that was aborted is not known: the zone is reset then.
                known = outcome.IsSuccess;
                kept = data;
                at += most;
            }
            else
            {
                buffer.Fill(0xDD);
                var outcome = await client.ReadAsync(buffer, zone + at - most, most);
                if (!result.Add(outcome)) return;
                if (outcome.IsSuccess && run.Subject.KeepsData) Check.Same(kept, buffer.ToArray(), $"zone at {zone}, I/O {i}, block {zone + at - most}");
            }
        }
    }

    // They do not read: of a block that is being written any mixture may come, which protection information finds fault with.
    private static async Task AskAsync(BdevClient client, Random random, LoadResult result, int minimum, CancellationToken stop)
    {
        var zone = new BdevZoneInfo[1];
        for (int i = 0; i < minimum || !stop.IsCancellationRequested; i++)
            if (!result.Add(await client.GetZoneInfoAsync((ulong)random.NextInt64((long)client.Bdev.ZoneCount) * client.Bdev.ZoneSizeBlocks, zone))) return;
    }
}
