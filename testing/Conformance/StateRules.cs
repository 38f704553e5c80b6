using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>Reset, abort, removal, resizing, restarts.</summary>
internal static class StateRules
{
    public static IEnumerable<ConformanceRule> All =>
    [
        new("reset.under-load", "A reset under load ends every I/O, succeeds, and lets new ones through.", ResetAsync),
        new("abort.ends-both", "An abort ends, and so does what it aborts, once and as success or aborted.", AbortAsync),
        new("remove.under-load", "A removal under load ends every I/O once and leaves nothing open.", RemoveAsync),
        new("remove.idle", "An idle bdev goes when its last opener has closed it.", RemoveIdleAsync),
        new("resize.grow", "It can grow while it is open: openers are told, the new blocks work, the old ones keep their data.", GrowAsync),
        new("persist.restart", "What was written and flushed is there after a restart.", RestartAsync, needsData: true),
    ];

    private static async Task ResetAsync(ConformanceRun run)
    {
        using var stop = new CancellationTokenSource();
        var clients = new List<BdevClient>();
        for (int worker = 0; worker < ConcurrencyRules.Workers; worker++) clients.Add(await run.OpenAsync(worker));
        var loads = clients.Select((client, worker) => ConcurrencyRules.LoadAsync(run, client, worker, depth: 8, stop.Token)).ToList();
        try
        {
            for (int i = 0; i < 6; i++)
            {
                Check.Succeeded(await clients[i % clients.Count].ResetAsync(), $"reset {i}");
                await Task.Delay(2);
            }
            // Two at a time: the second one waits its turn.
            foreach (var outcome in await Task.WhenAll(clients[0].ResetAsync(), clients[1].ResetAsync())) Check.Succeeded(outcome, "one of two resets at once");
        }
        finally
        {
            stop.Cancel();
        }
        foreach (var result in await Task.WhenAll(loads))
        {
            Check.That(result.LastFailure.Length == 0, $"an I/O around a reset: {result.LastFailure}; it may succeed or be aborted");
            Check.That(result.Succeeded > 0, "no I/O succeeded around the resets");
        }
        await clients[0].WriteBytesAsync(await run.PlaceAsync(clients[0], 0, 1), new byte[run.BlockSize]);
    }

    private static async Task AbortAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        using var buffer = new TestBuffer(run.BlockSize * 64);
        for (int round = 0; round < 20; round++)
        {
            object? target = null;
            var io = client.SubmitAsync((c, done, state) =>
            {
                target = state;
                return c.Read(buffer.Vectors, 0, 64, done, state);
            });
            var abort = await client.SubmitAsync((c, done, state) => c.Abort(target!, done, state));
            var outcome = await io;
            Check.That(abort.Error == 0 && abort.Status is BdevIoStatus.Success or BdevIoStatus.Failed, $"abort: {abort}");
            Check.That(outcome.IsSuccess || outcome.Status == BdevIoStatus.Aborted, $"the aborted I/O: {outcome}; it may succeed or be aborted");
            Check.Succeeded(await client.SubmitAsync((c, done, state) => c.Abort(target!, done, state)), "abort of what has ended long ago");
        }
    }

    private static async Task RemoveAsync(ConformanceRun run)
    {
        var clients = new List<BdevClient>();
        for (int worker = 0; worker < ConcurrencyRules.Workers; worker++) clients.Add(await run.OpenAsync(worker, closeWhenRemoved: true));
        var loads = clients.Select((client, worker) => ConcurrencyRules.LoadAsync(run, client, worker, depth: 16, CancellationToken.None)).ToList();
        await Task.Delay(20);
        await run.RemoveAsync();
        foreach (var result in await Task.WhenAll(loads).WaitAsync(run.Host.Options.Patience))
        {
            Check.That(result.Refused > 0, "the load ended without being refused");
            Check.That(result.Failed == 0, $"{result.Failed} I/Os failed during the removal, the last with {result.LastFailure}; they may succeed or be aborted");
        }
        foreach (var client in clients)
        {
            Check.That(client.Outstanding == 0, $"{client.Outstanding} I/Os are outstanding after the removal");
            Check.That(client.Events.Contains(BdevEventType.Remove), "an opener was not told of the removal");
        }
        Check.That(run.Host.Registry.Find(run.Subject.Name) is null, "it is still registered after its removal");
    }

    private static async Task RemoveIdleAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        await client.WriteBytesAsync(await run.PlaceAsync(client, 0, 1), run.RandomBytes(1));
        var removed = run.RemoveAsync();
        await Eventually.IsTrueAsync(() => client.Events.Contains(BdevEventType.Remove), "the remove event", run.Host.Options.Patience.TotalSeconds);
        Check.That(!removed.IsCompleted, "the removal ended while it was open");
        await run.CloseAsync();
        await removed;
        Check.That(run.Host.Registry.Find(run.Subject.Name) is null, "it is still registered after its removal");
    }

    private static async Task GrowAsync(ConformanceRun run)
    {
        var grow = run.Subject.GrowAsync ?? throw new NotApplicableException("it has a fixed size");
        run.NeedsAnyOrder();
        var client = await run.OpenAsync();
        double patience = run.Host.Options.Patience.TotalSeconds;
        ulong before = run.Blocks, more = Math.Max(8, (1UL << 20) / (ulong)run.BlockSize);
        byte[] old = run.RandomBytes(1), data = run.RandomBytes(1);
        await client.WriteBytesAsync(before - 1, old);
        await grow(more);
        await Eventually.IsTrueAsync(() => client.Bdev.BlockCount == before + more, $"{more} blocks more", patience);
        await Eventually.IsTrueAsync(() => client.Events.Contains(BdevEventType.Resize), "the resize event", patience);
        await client.WriteBytesAsync(before + more - 1, data);
        byte[] read = await client.ReadBytesAsync(before + more - 1, 1);
        if (!run.Subject.KeepsData) return;
        Check.Same(data, read, "the last new block");
        Check.Same(old, await client.ReadBytesAsync(before - 1, 1), "the block that was the last before");
    }

    private static async Task RestartAsync(ConformanceRun run)
    {
        var restart = run.Subject.RestartAsync ?? throw new NotApplicableException("it keeps nothing over a restart");
        var client = await run.OpenAsync();
        byte[] first = run.RandomBytes(40), last = run.RandomBytes(3);
        ulong firstAt = await run.PlaceAsync(client, 11, 40), lastAt = await run.PlaceAsync(client, run.Blocks - 3, 3);
        await client.WriteBytesAsync(firstAt, first);
        await client.WriteBytesAsync(lastAt, last);
        if (run.Can(BdevIoType.Flush)) Check.Succeeded(await client.FlushAsync(0, run.Blocks), "flush");
        ulong blocks = run.Blocks;
        var uuid = run.Bdev.Uuid;
        await run.CloseAsync();
        await restart().WaitAsync(run.Host.Options.Patience);
        Check.That(run.Blocks == blocks, $"it has {run.Blocks} blocks after a restart, and had {blocks}");
        Check.That(run.Bdev.Uuid == uuid, $"its UUID is {run.Bdev.Uuid} after a restart, and was {uuid}");
        client = await run.OpenAsync();
        Check.Same(first, await client.ReadBytesAsync(firstAt, 40), "what was written before the restart");
        Check.Same(last, await client.ReadBytesAsync(lastAt, 3), "what was written before the restart at the end");
    }
}
