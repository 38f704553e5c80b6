using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Suite;

// What has to hold while many threads work on the bdev at once.
public abstract partial class BdevContract
{
    private const int Workers = 4;

    /// <summary>Keeps <paramref name="depth"/> I/Os outstanding on a worker, in a part of its own, until told to stop or refused.</summary>
    private async Task<LoadResult> LoadAsync(Subject subject, BdevClient client, int worker, int depth, CancellationToken stop, int minimum = 0)
    {
        ulong part = Blocks / Workers, first = (ulong)worker * part, each = Math.Min(8, part / (ulong)depth);
        var result = new LoadResult();
        await Task.WhenAll(Enumerable.Range(0, depth).Select(async slot =>
        {
            var random = new Random(worker * 1000 + slot);
            ulong from = first + (ulong)slot * (part / (ulong)depth);
            using var buffer = new NativeBuffer((int)(each * client.Bdev.BlockSize));
            byte[]? kept = null;
            for (int i = 0; i < minimum || !stop.IsCancellationRequested; i++)
            {
                if (kept is null || random.Next(2) == 0)
                {
                    byte[] data = RandomBytes(random, (ulong)buffer.Length);
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
                    if (outcome.IsSuccess && subject.KeepsData) AssertSame(kept, buffer.ToArray(), $"worker {worker}, slot {slot}, I/O {i}");
                }
            }
        }));
        return result;
    }

    private sealed class LoadResult
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

    [Fact]
    [Trait("Category", "Slow")]
    public async Task Many_threads_work_on_it_at_once()
    {
        var subject = await SubjectAsync();
        using var stop = new CancellationTokenSource();
        var loads = new List<Task<LoadResult>>();
        for (int worker = 0; worker < Workers; worker++)
            loads.Add(LoadAsync(subject, await OpenAsync(subject.Name, worker: worker), worker, depth: 16, stop.Token, minimum: 20));
        stop.Cancel();
        foreach (var result in await Task.WhenAll(loads))
        {
            Assert.True(result.Succeeded >= 16 * 20, $"{result.Succeeded} I/Os succeeded");
            Assert.Equal(0, result.Failed + result.Aborted + result.Refused);
        }
    }

    [Fact]
    public async Task A_write_that_completed_on_one_thread_is_seen_by_another()
    {
        var subject = await SubjectAsync();
        Assert.SkipUnless(subject.KeepsData, "it keeps no data");
        var clients = new BdevClient[Workers];
        for (int worker = 0; worker < Workers; worker++) clients[worker] = await OpenAsync(subject.Name, worker: worker);
        for (int i = 0; i < 40; i++)
        {
            byte[] data = RandomBytes(new Random(i), 2 * clients[0].Bdev.BlockSize);
            await clients[i % Workers].WriteBytesAsync(500, data);
            AssertSame(data, await clients[(i + 1) % Workers].ReadBytesAsync(500, 2), $"write {i}");
        }
    }

    [Fact]
    public async Task Concurrent_compare_and_writes_lose_no_update()
    {
        var subject = await SubjectAsync();
        Assert.SkipUnless(subject.KeepsData, "it keeps no data");
        const int rounds = 25;
        var first = await OpenAsync(subject.Name);
        AssertSucceeded(await first.WriteZeroesAsync(8, 1), "write zeroes");
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(async worker =>
        {
            var client = worker == 0 ? first : await OpenLaterAsync(subject.Name, worker);
            int block = (int)client.Bdev.BlockSize;
            using var compare = new NativeBuffer(block);
            using var write = new NativeBuffer(block);
            byte[] image = await client.ReadBytesAsync(8, 1);
            for (int done = 0; done < rounds;)
            {
                compare.Set(image);
                BitConverter.TryWriteBytes(image, BitConverter.ToInt32(image) + 1);
                write.Set(image);
                var outcome = await client.CompareAndWriteAsync(compare, write, 8, 1);
                if (outcome.IsSuccess) done++;
                else Assert.Equal(BdevIoStatus.Miscompare, outcome.Status);
                image = await client.ReadBytesAsync(8, 1);
            }
        }));
        Assert.Equal(Workers * rounds, BitConverter.ToInt32(await first.ReadBytesAsync(8, 1)));
    }

    private readonly SemaphoreSlim _opening = new(1);

    private async Task<BdevClient> OpenLaterAsync(string name, int worker)
    {
        await _opening.WaitAsync(Cancel);
        try
        {
            return await OpenAsync(name, worker: worker);
        }
        finally
        {
            _opening.Release();
        }
    }

    [Fact]
    [Trait("Category", "Slow")]
    public async Task Reset_under_load_ends_every_io_and_lets_new_ones_through()
    {
        var subject = await SubjectAsync();
        using var stop = new CancellationTokenSource();
        var clients = new List<BdevClient>();
        for (int worker = 0; worker < Workers; worker++) clients.Add(await OpenAsync(subject.Name, worker: worker));
        var loads = clients.Select((client, worker) => LoadAsync(subject, client, worker, depth: 16, stop.Token)).ToList();
        for (int i = 0; i < 10; i++)
        {
            AssertSucceeded(await clients[i % Workers].ResetAsync().WaitAsync(TimeSpan.FromSeconds(30), Cancel), $"reset {i}");
            await Task.Delay(2, Cancel);
        }
        // Two at a time: the second one waits its turn.
        var both = await Task.WhenAll(clients[0].ResetAsync(), clients[1].ResetAsync()).WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        Assert.All(both, outcome => AssertSucceeded(outcome, "one of two resets"));
        stop.Cancel();
        foreach (var result in await Task.WhenAll(loads).WaitAsync(TimeSpan.FromSeconds(30), Cancel))
        {
            Assert.Equal("", result.LastFailure);
            Assert.True(result.Succeeded > 0);
        }
        await clients[0].WriteBytesAsync(0, new byte[clients[0].Bdev.BlockSize]);
    }

    [Fact]
    public async Task Removal_under_load_ends_every_io_once_and_leaves_nothing_open()
    {
        var subject = await SubjectAsync();
        var clients = new List<BdevClient>();
        for (int worker = 0; worker < Workers; worker++) clients.Add(await OpenAsync(subject.Name, worker: worker, closeWhenRemoved: true));
        var loads = clients.Select((client, worker) => LoadAsync(subject, client, worker, depth: 16, CancellationToken.None)).ToList();
        await Task.Delay(20, Cancel);
        await subject.DeleteAsync().WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        foreach (var result in await Task.WhenAll(loads).WaitAsync(TimeSpan.FromSeconds(30), Cancel))
        {
            Assert.True(result.Refused > 0, "the load ended without being refused");
            Assert.Equal(0, result.Failed);
        }
        Assert.All(clients, client => Assert.Equal(0, client.Outstanding));
        Assert.All(clients, client => Assert.Contains(BdevEventType.Remove, client.Events));
        Assert.Null(Host.Registry.Find(subject.Name));
    }

    [Fact]
    public async Task While_it_is_being_removed_it_takes_nothing_new()
    {
        var (subject, client) = await StartAsync();
        using var buffer = new NativeBuffer((int)client.Bdev.BlockSize);
        var removed = subject.DeleteAsync();
        await Eventually.IsTrueAsync(() => client.Events.Contains(BdevEventType.Remove), "the remove event");
        Assert.Equal(-Errno.ENODEV, (await client.ReadAsync(buffer, 0, 1)).Error);
        Assert.Equal(-Errno.ENODEV, (await client.WriteZeroesAsync(0, 1)).Error);
        Assert.Equal(-Errno.ENODEV, (await client.ResetAsync()).Error);
        var refused = await Assert.ThrowsAsync<SpindleException>(() => OpenAsync(subject.Name, worker: 1));
        Assert.Equal(Errno.ENODEV, refused.Errno);
        Assert.False(removed.IsCompleted);
        await client.DisposeAsync();
        await removed.WaitAsync(TimeSpan.FromSeconds(30), Cancel);
    }

    [Fact]
    public async Task Abort_ends_once_and_so_does_what_it_aborts()
    {
        var (subject, client) = await StartAsync();
        using var buffer = new NativeBuffer((int)client.Bdev.BlockSize * 64);
        for (int round = 0; round < 20; round++)
        {
            object? target = null;
            var io = client.SubmitAsync((c, done, state) =>
            {
                target = state;
                return c.Read(buffer.Vectors, 0, 64, done, state);
            });
            var abort = await client.SubmitAsync((c, done, state) => c.Abort(target!, done, state)).WaitAsync(TimeSpan.FromSeconds(30), Cancel);
            var outcome = await io.WaitAsync(TimeSpan.FromSeconds(30), Cancel);
            Assert.Equal(0, abort.Error);
            Assert.True(abort.Status is BdevIoStatus.Success or BdevIoStatus.Failed, $"abort: {abort}");
            Assert.True(outcome.IsSuccess || outcome.Status == BdevIoStatus.Aborted, $"the aborted I/O: {outcome}");
            // What has ended long ago counts as aborted.
            AssertSucceeded(await client.SubmitAsync((c, done, state) => c.Abort(target!, done, state)), "abort of what has ended");
        }
    }

    [Fact]
    public async Task Buffers_are_left_alone_after_the_callback()
    {
        var (_, client) = await StartAsync();
        int bytes = 16 * (int)client.Bdev.BlockSize;
        var buffers = new List<NativeBuffer>();
        for (int i = 0; i < 32; i++)
        {
            var buffer = new NativeBuffer(bytes, i % 2);
            buffers.Add(buffer);
            buffer.Fill(1);
            AssertSucceeded(i % 3 == 0 ? await client.WriteAsync(buffer, (ulong)i, 16) : await client.ReadAsync(buffer, (ulong)i, 16), $"I/O {i}");
            buffer.Fill(0xDB);
        }
        await Task.Delay(50, Cancel);
        foreach (var buffer in buffers)
        {
            Assert.True(buffer.ToArray().AsSpan().IndexOfAnyExcept((byte)0xDB) < 0, "a buffer was written to after its I/O had completed");
            buffer.Dispose();
        }
    }

    [Fact]
    public async Task Writes_do_not_change_their_buffers_and_reads_only_theirs()
    {
        var (_, client) = await StartAsync();
        byte[] data = RandomBytes(new Random(20), 8 * client.Bdev.BlockSize);
        foreach (int misalignment in new[] { 0, 1, 511 })
        {
            using var buffer = new NativeBuffer([(int)client.Bdev.BlockSize * 3 + 7, (int)client.Bdev.BlockSize * 5 - 7], misalignment);
            buffer.Set(data);
            AssertSucceeded(await client.WriteAsync(buffer, 3, 8), "write");
            AssertSame(data, buffer.ToArray(), "the written buffer");
            AssertSucceeded(await client.ReadAsync(buffer, 3, 8), "read");
            buffer.CheckGuards();
        }
    }
}
