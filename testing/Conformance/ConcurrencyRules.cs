using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>Many channels, many I/Os, and what one thread sees of another's.</summary>
internal static class ConcurrencyRules
{
    internal const int Workers = 4;

    public static IEnumerable<ConformanceRule> All =>
    [
        new("channels.many", "Channels on many threads work at once, each with many I/Os outstanding, and none disturbs another.", ManyAsync),
        new("channels.come-and-go", "Channels may be made and put again and again; the data stays.", ComeAndGoAsync),
        new("ordering.across-channels", "A write that has completed is seen by every channel.", AcrossAsync, needsData: true),
        new("ordering.compare-and-write", "Compare-and-writes of several threads to one block lose no update.", AtomicAsync, needsData: true),
    ];

    private static async Task ManyAsync(ConformanceRun run)
    {
        using var stop = new CancellationTokenSource();
        var loads = new List<Task<LoadResult>>();
        for (int worker = 0; worker < Workers; worker++) loads.Add(LoadAsync(run, await run.OpenAsync(worker), worker, depth: 16, stop.Token, minimum: 16));
        stop.Cancel();
        foreach (var result in await Task.WhenAll(loads))
            Check.That(result.Failed + result.Aborted + result.Refused == 0, $"of {16 * 16} I/Os on a thread {result.Failed} failed, {result.Aborted} were aborted, {result.Refused} refused; the last: {result.LastFailure}");
    }

    private static async Task ComeAndGoAsync(ConformanceRun run)
    {
        byte[]? before = null;
        ulong place = 40;
        for (int round = 0; round < 12; round++)
        {
            await using var one = await BdevClient.OpenAsync(run.Host, run.Subject.Name, run.OpenOptions, worker: round);
            await using var other = await BdevClient.OpenAsync(run.Host, run.Subject.Name, run.OpenOptions, worker: round + 1);
            if (before is not null && run.Subject.KeepsData) Check.Same(before, await one.ReadBytesAsync(place, 4), $"round {round}: what was written before the channels went");
            byte[] data = before = run.RandomBytes(4);
            place = await run.PlaceAsync(one, 40, 4);
            await one.WriteBytesAsync(place, data);
            byte[] read = await other.ReadBytesAsync(place, 4);
            if (run.Subject.KeepsData) Check.Same(data, read, $"round {round}");
        }
    }

    private static async Task AcrossAsync(ConformanceRun run)
    {
        var clients = new BdevClient[Workers];
        for (int worker = 0; worker < Workers; worker++) clients[worker] = await run.OpenAsync(worker);
        for (int i = 0; i < 40; i++)
        {
            byte[] data = run.RandomBytes(2);
            ulong place = await run.PlaceAsync(clients[i % Workers], 100, 2);
            await clients[i % Workers].WriteBytesAsync(place, data);
            Check.Same(data, await clients[(i + 1) % Workers].ReadBytesAsync(place, 2), $"write {i} on channel {i % Workers}, read on channel {(i + 1) % Workers}");
        }
    }

    private static async Task AtomicAsync(ConformanceRun run)
    {
        run.NeedsAnyOrder();
        const int rounds = 15;
        var clients = new BdevClient[Workers];
        for (int worker = 0; worker < Workers; worker++) clients[worker] = await run.OpenAsync(worker);
        Check.Succeeded(await clients[0].WriteZeroesAsync(8, 1), "write zeroes");
        await Task.WhenAll(clients.Select(async client =>
        {
            using var compare = new TestBuffer(run.BlockSize);
            using var write = new TestBuffer(run.BlockSize);
            byte[] image = await client.ReadBytesAsync(8, 1);
            for (int done = 0, attempts = 0; done < rounds; attempts++)
            {
                Check.That(attempts < 10_000, "10000 compare-and-writes found no equal data");
                compare.Set(image);
                BitConverter.TryWriteBytes(image, BitConverter.ToInt32(image) + 1);
                write.Set(image);
                var outcome = await client.CompareAndWriteAsync(compare, write, 8, 1);
                if (outcome.IsSuccess) done++;
                else Check.That(outcome.Status == BdevIoStatus.Miscompare, $"compare-and-write: {outcome}");
                image = await client.ReadBytesAsync(8, 1);
            }
        }));
        int count = BitConverter.ToInt32(await clients[0].ReadBytesAsync(8, 1));
        Check.That(count == Workers * rounds, $"{Workers * rounds} compare-and-writes that each counted one up have come to {count}");
    }

    /// <summary>Keeps <paramref name="depth"/> I/Os outstanding on a worker, in a part of its own, until told to stop or refused.</summary>
    internal static async Task<LoadResult> LoadAsync(ConformanceRun run, BdevClient client, int worker, int depth, CancellationToken stop, int minimum = 0)
    {
        if (client.Bdev.IsZoned) return await ZoneLoad.RunAsync(run, client, worker, depth, stop, minimum);
        ulong part = Math.Min(client.Bdev.BlockCount, 2048) / Workers, first = (ulong)worker * part, each = Math.Max(1, Math.Min(8, part / (ulong)depth));
        int block = (int)client.BlockSize;
        bool keepsData = run.Subject.KeepsData;
        var result = new LoadResult();
        await Task.WhenAll(Enumerable.Range(0, depth).Select(async slot =>
        {
            var random = new Random(worker * 1000 + slot);
            ulong from = first + (ulong)slot * (part / (ulong)depth);
            using var buffer = new TestBuffer((int)each * block);
            byte[]? kept = null;
            for (int i = 0; i < minimum || !stop.IsCancellationRequested; i++)
            {
                if (kept is null || random.Next(2) == 0)
                {
                    byte[] data = new byte[buffer.Length];
                    random.NextBytes(data);
                    buffer.Set(data);
                    var outcome = await client.WriteAsync(buffer, from, each);
                    if (!result.Add(outcome)) return;
                    kept = outcome.IsSuccess ? data : null;
                }
                else
                {
                    buffer.Fill(0xDD);
                    var outcome = await client.ReadAsync(buffer, from, each);
                    if (!result.Add(outcome)) return;
                    if (outcome.IsSuccess && keepsData) Check.Same(kept, buffer.ToArray(), $"thread {worker}, slot {slot}, I/O {i}, block {from}");
                }
            }
        }));
        return result;
    }
}

/// <summary>How the I/Os of a load ended.</summary>
internal sealed class LoadResult
{
    private int _succeeded, _aborted, _refused, _failed;

    public int Succeeded => _succeeded;
    public int Aborted => _aborted;
    public int Refused => _refused;
    public int Failed => _failed;
    public string LastFailure { get; private set; } = "";

    /// <returns>False when the bdev takes no more.</returns>
    public bool Add(Outcome outcome)
    {
        if (outcome.Error != 0)
        {
            Interlocked.Increment(ref _refused);
            LastFailure = outcome.ToString();
            return false;
        }
        if (outcome.IsSuccess) Interlocked.Increment(ref _succeeded);
        else if (outcome.Status == BdevIoStatus.Aborted) Interlocked.Increment(ref _aborted);
        else
        {
            Interlocked.Increment(ref _failed);
            LastFailure = outcome.ToString();
        }
        return true;
    }
}
