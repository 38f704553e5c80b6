using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>When, where and how often an I/O is completed, and whose its buffers are.</summary>
internal static class CompletionRules
{
    public static IEnumerable<ConformanceRule> All =>
    [
        new("completion.thread", "An I/O is completed on the storage thread that submitted it.", BusyAsync),
        new("completion.once", "An I/O is completed exactly once, with the generation it had.", BusyAsync),
        new("completion.no-exception", "Submit and FlushChannel throw nothing.", BusyAsync),
        new("buffers.after-completion", "A buffer is left alone after its I/O was completed.", LeftAloneAsync),
        new("buffers.write-unchanged", "A write does not change its buffers.", UnchangedAsync),
        new("buffers.only-its-own", "A read writes into its vectors and nowhere around them.", OnlyItsOwnAsync),
        new("memory.iobuf-dry", "An I/O that finds the I/O buffer pools empty waits for them, or completes with NoMemory to be submitted again; it does not fail.", IobufDryAsync),
        new("memory.pool-dry", "With few I/O objects to be had below, every I/O still succeeds.", PoolDryAsync),
    ];

    private static async Task BusyAsync(ConformanceRun run)
    {
        var clients = new[] { await run.OpenAsync(0), await run.OpenAsync(1) };
        if (run.Bdev.IsZoned)
        {
            using var stop = new CancellationTokenSource();
            stop.Cancel();
            foreach (var result in await Task.WhenAll(clients.Select((client, worker) => ConcurrencyRules.LoadAsync(run, client, worker, 16, stop.Token, minimum: 24))))
                Check.That(result.Failed + result.Aborted + result.Refused == 0, $"an I/O failed: {result.LastFailure}");
            await Task.Delay(20);
            run.Host.CheckObservations();
            return;
        }
        await Task.WhenAll(Enumerable.Range(0, 32).Select(async slot =>
        {
            var client = clients[slot % 2];
            using var buffer = new TestBuffer(run.BlockSize * 4);
            buffer.Fill((byte)slot);
            for (int i = 0; i < 12; i++)
            {
                Check.Succeeded(await client.WriteAsync(buffer, (ulong)slot * 4, 4), "write");
                Check.Succeeded(await client.ReadAsync(buffer, (ulong)slot * 4, 4), "read");
            }
        }));
        // Time for what comes late.
        await Task.Delay(20);
        run.Host.CheckObservations();
    }

    private static async Task LeftAloneAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        int bytes = 16 * run.BlockSize;
        var buffers = new List<TestBuffer>();
        for (int i = 0; i < 32; i++)
        {
            var buffer = new TestBuffer(bytes, i % 2);
            buffers.Add(buffer);
            buffer.Fill(1);
            Check.Succeeded(i % 3 == 0 ? await client.WriteAsync(buffer, await run.PlaceAsync(client, (ulong)i, 16), 16) : await client.ReadAsync(buffer, (ulong)i, 16), $"I/O {i}");
            buffer.Fill(0xDB);
        }
        await Task.Delay(30);
        foreach (var buffer in buffers)
        {
            Check.That(buffer.ToArray().AsSpan().IndexOfAnyExcept((byte)0xDB) < 0, "a buffer was written to after its I/O had completed");
            buffer.Dispose();
        }
    }

    private static async Task UnchangedAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        byte[] data = run.RandomBytes(8);
        foreach (int misalignment in new[] { 0, 1, 511 })
        {
            using var buffer = new TestBuffer([run.BlockSize * 3 + 7, run.BlockSize * 5 - 7], misalignment);
            buffer.Set(data);
            Check.Succeeded(await client.WriteAsync(buffer, await run.PlaceAsync(client, 3, 8), 8), "write");
            Check.Same(data, buffer.ToArray(), "the written buffer");
        }
    }

    private static async Task OnlyItsOwnAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        ulong place = await run.PlaceAsync(client, 0, 32);
        await client.WriteBytesAsync(place, run.RandomBytes(32));
        foreach (int blocks in new[] { 1, 2, 7 })
        {
            using var buffer = new TestBuffer([run.BlockSize * blocks]);
            Check.Succeeded(await client.ReadAsync(buffer, place + 3, (ulong)blocks), "read");
            buffer.CheckGuards();
        }
    }

    private static async Task IobufDryAsync(ConformanceRun run)
    {
        var client = await run.OpenAsync();
        await run.EmptyForAppendsAsync(client);
        if (!run.Bdev.IsZoned) await client.WriteBytesAsync(0, run.RandomBytes(8));
        var pools = run.Host.Iobuf;
        Spindle.Memory.IIobufChannel? channel = null;
        var taken = new List<Spindle.Memory.IoVec>();
        await client.OnThreadAsync(() =>
        {
            channel = pools.CreateChannel("conformance", 0, 0);
            foreach (uint size in new[] { pools.SmallBufferSize, pools.LargeBufferSize })
                while (channel.TryGet(size, out var buffer)) taken.Add(buffer);
        });
        var buffers = Enumerable.Range(0, 16).Select(i => new TestBuffer(run.BlockSize * 4, i % 2)).ToList();
        Task<Outcome>[] ios;
        try
        {
            ios = [.. buffers.Select((buffer, i) => i % 2 == 0 ? client.ReadAsync(buffer, (ulong)i * 4, 4) : run.WriteOrAppendAsync(client, buffer, (ulong)i * 4, 4))];
            await Task.Delay(20);
        }
        finally
        {
            await client.OnThreadAsync(() =>
            {
                foreach (var buffer in taken) channel!.Put(buffer);
                channel!.Dispose();
            });
        }
        foreach (var io in ios) Check.Succeeded(await io, "an I/O submitted while the I/O buffer pools were empty");
        buffers.ForEach(buffer => buffer.Dispose());
    }

    private static async Task PoolDryAsync(ConformanceRun run)
    {
        var options = run.Host.Bdevs.Options;
        try
        {
            run.Host.Bdevs.Options = options with { IoPoolSize = 4 };
            string? failure = await run.TryAsync(async inner =>
            {
                var client = await inner.OpenAsync();
                await inner.EmptyForAppendsAsync(client);
                await Task.WhenAll(Enumerable.Range(0, 16).Select(async slot =>
                {
                    using var buffer = new TestBuffer(inner.BlockSize * 4);
                    for (int i = 0; i < 6; i++)
                    {
                        Outcome outcome;
                        // The client's own share of the rule: -ENOMEM means not now.
                        while ((outcome = i % 2 == 0 ? await inner.WriteOrAppendAsync(client, buffer, (ulong)slot * 4, 4) : await client.ReadAsync(buffer, (ulong)slot * 4, 4)).Error == -Errno.ENOMEM)
                            await Task.Delay(1);
                        Check.Succeeded(outcome, "an I/O while there were 4 I/O objects to each bdev");
                    }
                }));
                return null;
            });
            Check.That(failure is null, failure ?? "");
        }
        finally
        {
            run.Host.Bdevs.Options = options;
        }
    }
}
