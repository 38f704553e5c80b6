using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>Zoned bdevs: what a zone's state allows, and where its write pointer is.</summary>
internal static class ZoneRules
{
    public static IEnumerable<ConformanceRule> All =>
    [
        Rule("zones.report", "Each zone is reported where it is, alone and with others, with a write pointer and a capacity that fit its state.", ReportAsync),
        Rule("zones.write-pointer", "A write at the write pointer moves it on; one anywhere else is refused and changes nothing.", WritePointerAsync),
        Rule("zones.full", "A zone that was written to its capacity is full and takes no more, the last one too.", FullAsync),
        Rule("zones.reset", "A reset empties its zone, which can be written again, and no other.", ResetAsync),
        Rule("zones.append", "Appends of many threads to one zone each get blocks of their own, without a gap, and say which.", AppendAsync),
        Rule("zones.transitions", "An action leads to the state that it names, or is refused where there is no way.", TransitionsAsync),
        Rule("zones.limits", "No more zones are open or active than the bdev says.", LimitsAsync),
        Rule("zones.random", "Random writes, appends and actions on many channels leave the zones as they leave a model of them.", RandomAsync),
    ];

    private static ConformanceRule Rule(string id, string title, Func<ConformanceRun, Task> body) => new(id, title, run =>
    {
        if (!run.Bdev.IsZoned) throw new NotApplicableException("it is not zoned");
        return body(run);
    });

    private static async Task ReportAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        ulong size = run.Bdev.ZoneSizeBlocks, count = run.Bdev.ZoneCount;
        var all = await client.GetZonesAsync(0, (int)Math.Min(count, 4096));
        for (int i = 0; i < all.Length; i++)
        {
            var zone = all[i];
            Check.That(zone.Start == (ulong)i * size, $"zone {i} is reported at {zone.Start}; it is at {(ulong)i * size}");
            Check.That(zone.Capacity > 0 && zone.Capacity <= size, $"zone {i} has a capacity of {zone.Capacity} blocks; it has {size} blocks in all");
            Check.That(Enum.IsDefined(zone.State) && Enum.IsDefined(zone.Type), $"zone {i} has state {zone.State} and type {zone.Type}");
            ulong end = zone.Start + zone.Capacity;
            bool fits = zone.State switch
            {
                BdevZoneState.Empty => zone.WritePointer == zone.Start,
                BdevZoneState.Full => zone.WritePointer == end,
                BdevZoneState.ImplicitlyOpen or BdevZoneState.ExplicitlyOpen or BdevZoneState.Closed => zone.WritePointer >= zone.Start && zone.WritePointer < end,
                _ => true,
            };
            Check.That(fits, $"zone {i}, from {zone.Start} to {end}, is {zone.State} and has its write pointer at {zone.WritePointer}");
        }
        var last = (await client.GetZonesAsync((count - 1) * size, 1))[0];
        Check.That(last.Start == (count - 1) * size, $"the last zone, asked for alone, is reported at {last.Start}");
    }

    private static async Task WritePointerAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        var zone = await EmptyZoneAsync(client, 0);
        Check.That(zone.Capacity >= 12, $"the rule needs zones of 12 blocks; they have {zone.Capacity}");
        byte[] data = run.RandomBytes(4);
        await client.WriteBytesAsync(zone.Start, data);
        await IsAsync(client, zone, BdevZoneState.ImplicitlyOpen, 4, "after a write of 4 blocks");
        foreach (ulong at in new ulong[] { 0, 3, 5, zone.Capacity - 1 })
        {
            await RefusedAsync(client, zone.Start + at, 1, $"a write at block {at} of a zone whose write pointer is at 4");
            await IsAsync(client, zone, BdevZoneState.ImplicitlyOpen, 4, $"after a refused write at {at}");
        }
        if (run.Subject.KeepsData) Check.Same(data, await client.ReadBytesAsync(zone.Start, 4), "the blocks below the write pointer after refused writes");
        await client.WriteBytesAsync(zone.Start + 4, run.RandomBytes(1));
        Check.Succeeded(await client.WriteZeroesAsync(zone.Start + 5, 3), "write zeroes at the write pointer");
        await IsAsync(client, zone, BdevZoneState.ImplicitlyOpen, 8, "after write zeroes of 3 blocks at 5");
        if (run.Subject.KeepsData) Check.Zero(await client.ReadBytesAsync(zone.Start + 5, 3), "what write zeroes wrote");
    }

    private static async Task FullAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        foreach (ulong start in new[] { 0UL, (run.Bdev.ZoneCount - 1) * run.Bdev.ZoneSizeBlocks })
        {
            var zone = await EmptyZoneAsync(client, start);
            await client.WriteBytesAsync(start, run.RandomBytes(zone.Capacity - 1));
            if (zone.Capacity < run.Bdev.ZoneSizeBlocks) await RefusedAsync(client, start + zone.Capacity - 1, 2, "a write beyond the zone's capacity");
            await IsAsync(client, zone, BdevZoneState.ImplicitlyOpen, zone.Capacity - 1, "with one block left");
            byte[] data = run.RandomBytes(1);
            await client.WriteBytesAsync(start + zone.Capacity - 1, data);
            await IsAsync(client, zone, BdevZoneState.Full, zone.Capacity, "after its last block was written");
            await RefusedAsync(client, start, 1, "a write to a full zone at its start");
            if (zone.Capacity < run.Bdev.ZoneSizeBlocks) await RefusedAsync(client, start + zone.Capacity, 1, "a write behind the capacity of a full zone");
            using var buffer = new TestBuffer(run.BlockSize);
            if (run.Can(BdevIoType.ZoneAppend)) Refused(await client.ZoneAppendAsync(buffer, start, 1), "an append to a full zone");
            await IsAsync(client, zone, BdevZoneState.Full, zone.Capacity, "after refused writes");
            if (run.Subject.KeepsData) Check.Same(data, await client.ReadBytesAsync(start + zone.Capacity - 1, 1), "the last block of a full zone");
        }
    }

    private static async Task ResetAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        ulong size = run.Bdev.ZoneSizeBlocks;
        if (run.Bdev.ZoneCount < 2) throw new NotApplicableException("it has one zone");
        var first = await EmptyZoneAsync(client, 0);
        var second = await EmptyZoneAsync(client, size);
        byte[] old = run.RandomBytes(5), other = run.RandomBytes(3), fresh = run.RandomBytes(2);
        await client.WriteBytesAsync(0, old);
        await client.WriteBytesAsync(size, other);
        Check.Succeeded(await client.ZoneManagementAsync(0, BdevZoneAction.Reset), "reset of a zone");
        await IsAsync(client, first, BdevZoneState.Empty, 0, "after its reset");
        await IsAsync(client, second, BdevZoneState.ImplicitlyOpen, 3, "after the reset of the zone before it");
        await RefusedAsync(client, 5, 1, "a write where the write pointer was before the reset");
        await client.WriteBytesAsync(0, fresh);
        if (!run.Subject.KeepsData) return;
        Check.Same(fresh, await client.ReadBytesAsync(0, 2), "what was written after a reset");
        Check.Same(other, await client.ReadBytesAsync(size, 3), "the zone behind one that was reset");
    }

    private static async Task AppendAsync(ConformanceRun run)
    {
        if (!run.Can(BdevIoType.ZoneAppend)) throw new NotApplicableException("it does not claim zone append");
        var clients = new BdevClient[ConcurrencyRules.Workers];
        for (int worker = 0; worker < clients.Length; worker++) clients[worker] = await run.OpenAsync(worker);
        var zone = await EmptyZoneAsync(clients[0], 0);
        // Each in vectors of its own, some at odd addresses, one to three blocks.
        int count = (int)Math.Min(64, zone.Capacity / 3);
        var appends = Enumerable.Range(0, count).Select(i =>
        {
            ulong blocks = 1 + (ulong)(i % 3);
            var buffer = new TestBuffer(TestBuffer.OddSplit(run.Random, (int)blocks * run.BlockSize, 1 + i % 4), i % 2 * 7);
            byte[] data = run.RandomBytes(blocks);
            buffer.Set(data);
            return (Buffer: buffer, Data: data, Blocks: blocks);
        }).ToArray();
        var outcomes = await Task.WhenAll(appends.Select((append, i) => clients[i % clients.Length].ZoneAppendAsync(append.Buffer, zone.Start, append.Blocks)));
        ulong next = zone.Start;
        foreach (var (append, outcome) in appends.Zip(outcomes).OrderBy(pair => pair.Second.Result.Value))
        {
            append.Buffer.Dispose();
            Check.Succeeded(outcome, "an append");
            Check.That(outcome.Result.Value == next, $"an append of {append.Blocks} blocks says that it wrote at {outcome.Result.Value}; the next free block was {next}");
            next += append.Blocks;
            if (run.Subject.KeepsData) Check.Same(append.Data, await clients[0].ReadBytesAsync(outcome.Result.Value, append.Blocks), $"what was appended at {outcome.Result.Value}");
        }
        await IsAsync(clients[0], zone, next == zone.Start + zone.Capacity ? BdevZoneState.Full : BdevZoneState.ImplicitlyOpen, next - zone.Start, "after appends");
    }

    private static async Task TransitionsAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        var zone = await EmptyZoneAsync(client, 0);
        async Task DoAsync(BdevZoneAction action, BdevZoneState state, ulong written)
        {
            Check.Succeeded(await client.ZoneManagementAsync(zone.Start, action), $"{action}");
            await IsAsync(client, zone, state, written, $"after {action}");
        }
        async Task NotAsync(BdevZoneAction action, BdevZoneState state, ulong written)
        {
            Refused(await client.ZoneManagementAsync(zone.Start, action), $"{action} of a zone that is {state}");
            await IsAsync(client, zone, state, written, $"after a refused {action}");
        }
        await NotAsync(BdevZoneAction.Close, BdevZoneState.Empty, 0);
        await DoAsync(BdevZoneAction.Reset, BdevZoneState.Empty, 0);
        await DoAsync(BdevZoneAction.Open, BdevZoneState.ExplicitlyOpen, 0);
        await DoAsync(BdevZoneAction.Open, BdevZoneState.ExplicitlyOpen, 0);
        await client.WriteBytesAsync(zone.Start, run.RandomBytes(2));
        await IsAsync(client, zone, BdevZoneState.ExplicitlyOpen, 2, "after a write");
        await DoAsync(BdevZoneAction.Close, BdevZoneState.Closed, 2);
        await DoAsync(BdevZoneAction.Close, BdevZoneState.Closed, 2);
        await client.WriteBytesAsync(zone.Start + 2, run.RandomBytes(1));
        await IsAsync(client, zone, BdevZoneState.ImplicitlyOpen, 3, "after a write to a closed zone");
        await DoAsync(BdevZoneAction.Open, BdevZoneState.ExplicitlyOpen, 3);
        await NotAsync(BdevZoneAction.Offline, BdevZoneState.ExplicitlyOpen, 3);
        await DoAsync(BdevZoneAction.Finish, BdevZoneState.Full, zone.Capacity);
        await DoAsync(BdevZoneAction.Finish, BdevZoneState.Full, zone.Capacity);
        await NotAsync(BdevZoneAction.Open, BdevZoneState.Full, zone.Capacity);
        await NotAsync(BdevZoneAction.Close, BdevZoneState.Full, zone.Capacity);
        await DoAsync(BdevZoneAction.Reset, BdevZoneState.Empty, 0);
        await DoAsync(BdevZoneAction.Finish, BdevZoneState.Full, zone.Capacity);
    }

    private static async Task LimitsAsync(ConformanceRun run)
    {
        uint open = run.Bdev.MaxOpenZones, active = run.Bdev.MaxActiveZones;
        ulong count = run.Bdev.ZoneCount, size = run.Bdev.ZoneSizeBlocks;
        bool limitsOpen = open != 0 && open < count, limitsActive = active != 0 && active < count;
        if (!limitsOpen && !limitsActive) throw new NotApplicableException("it has no limit of open or active zones below the number of its zones");
        var client = await run.OpenAsync();
        for (ulong i = 0; i < count; i++) Check.Succeeded(await client.ZoneManagementAsync(i * size, BdevZoneAction.Reset), "reset of a zone");
        if (limitsOpen)
        {
            for (ulong i = 0; i < open; i++) Check.Succeeded(await client.ZoneManagementAsync(i * size, BdevZoneAction.Open), $"open of zone {i}");
            Refused(await client.ZoneManagementAsync(open * size, BdevZoneAction.Open), $"open of one zone more than the {open} that may be open");
            Check.Succeeded(await client.ZoneManagementAsync(0, BdevZoneAction.Finish), "finish of an open zone");
            Check.Succeeded(await client.ZoneManagementAsync(open * size, BdevZoneAction.Open), "open of a zone in the place of one that was finished");
            for (ulong i = 0; i <= open; i++) Check.Succeeded(await client.ZoneManagementAsync(i * size, BdevZoneAction.Reset), "reset of a zone");
        }
        if (!limitsActive) return;
        for (ulong i = 0; i < active; i++)
        {
            await client.WriteBytesAsync(i * size, run.RandomBytes(1));
            Check.Succeeded(await client.ZoneManagementAsync(i * size, BdevZoneAction.Close), $"close of zone {i}");
        }
        await RefusedAsync(client, active * size, 1, $"a write to one zone more than the {active} that may be active");
        Check.Succeeded(await client.ZoneManagementAsync(0, BdevZoneAction.Reset), "reset of an active zone");
        await client.WriteBytesAsync(active * size, run.RandomBytes(1));
    }

    private static Task RandomAsync(ConformanceRun run)
    {
        ulong zones = Math.Min(ZonePlaces.AtATime(run.Bdev), 8);
        bool appends = run.Can(BdevIoType.ZoneAppend);
        return SequenceRules.RunAsync(run, seed => ZoneStep.Sequence(new Random(seed), (int)zones, run.Suite.SequenceSteps, ConcurrencyRules.Workers, appends), async (inner, steps) =>
        {
            var clients = new List<BdevClient>();
            for (int worker = 0; worker < ConcurrencyRules.Workers; worker++) clients.Add(await inner.OpenAsync(worker));
            return await (await ZoneModelRun.StartAsync(clients, (int)zones, inner.Subject.KeepsData)).RunAsync(steps);
        });
    }

    private static async Task<BdevZoneInfo> EmptyZoneAsync(BdevClient client, ulong start)
    {
        Check.Succeeded(await client.ZoneManagementAsync(start, BdevZoneAction.Reset), $"reset of the zone at {start}");
        var zone = (await client.GetZonesAsync(start, 1))[0];
        Check.That(zone.State == BdevZoneState.Empty && zone.WritePointer == start, $"the zone at {start} is {zone.State} with its write pointer at {zone.WritePointer} after a reset");
        return zone;
    }

    private static async Task IsAsync(BdevClient client, BdevZoneInfo zone, BdevZoneState state, ulong written, string when)
    {
        var now = (await client.GetZonesAsync(zone.Start, 1))[0];
        Check.That(now.State == state && now.WritePointer == zone.Start + written,
            $"the zone at {zone.Start} is {now.State} with its write pointer at its block {now.WritePointer - zone.Start} {when}; expected {state} and {written}");
    }

    private static async Task RefusedAsync(BdevClient client, ulong offset, ulong blocks, string what)
    {
        using var buffer = new TestBuffer((int)(blocks * client.BlockSize));
        var outcome = await client.WriteAsync(buffer, offset, blocks);
        // The host refuses what crosses into the next zone.
        if (outcome.Error != -Errno.EINVAL) Refused(outcome, what);
    }

    private static void Refused(Outcome outcome, string what) =>
        Check.That(outcome.Error == 0 && outcome.Status is BdevIoStatus.NvmeError or BdevIoStatus.Failed or BdevIoStatus.ScsiError, $"{what}: {outcome}; it is to be refused");
}
