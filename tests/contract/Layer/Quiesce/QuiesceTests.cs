using Spindle.Bdevs;
using Spindle.ContractTests.Faults;

namespace Spindle.ContractTests.Layer.Quiesce;

/// <summary>A module holds back the I/O of its bdev, or of a range of it.</summary>
public sealed class QuiesceTests : IAsyncLifetime
{
    private TestHost _host = null!;
    private readonly TestBuffer _buffer = new(512);
    private readonly TestBuffer _equal = new(512);
    private TestBdev _bdev = null!;
    private readonly List<(BdevIo Io, uint Generation)> _held = [];
    private volatile bool _hold;

    public async ValueTask InitializeAsync()
    {
        _host = await TestHost.StartAsync(new TestHostOptions { Workers = 3 });
        _bdev = new TestBdev("m") { OnSubmit = Submit };
        await _host.RegisterAsync(_bdev);
    }

    public async ValueTask DisposeAsync()
    {
        _host.CheckObservations();
        await _host.DisposeAsync();
        _buffer.Dispose();
        _equal.Dispose();
    }

    private void Submit(TestBdev bdev, BdevIo io)
    {
        if (_hold && io.Type != BdevIoType.Reset)
            lock (_held) _held.Add((io, io.Generation));
        else bdev.CarryOut(io);
    }

    private Task AppAsync(Func<IBdevRegistry, Task> action) => _host.OnAppAsync(() => action(_host.Registry));

    private async Task<bool> IsHeldBackAsync(params Task[] ios)
    {
        // Two rounds of messages to every thread are more than an I/O that is not held back takes.
        for (int i = 0; i < 3; i++)
            foreach (var thread in _host.Threads.Threads) await thread.InvokeAsync(static () => Task.CompletedTask);
        return ios.All(io => !io.IsCompleted);
    }

    /// <summary>Completes what the module has.</summary>
    private async Task LetGoAsync(BdevClient client)
    {
        _hold = false;
        await client.OnThreadAsync(() =>
        {
            (BdevIo Io, uint Generation)[] mine;
            lock (_held)
            {
                mine = [.. _held.Where(h => ReferenceEquals(h.Io.Channel.Thread, client.Thread))];
                _held.RemoveAll(h => ReferenceEquals(h.Io.Channel.Thread, client.Thread));
            }
            foreach (var (io, generation) in mine) io.Complete(generation, _bdev.Transfer(io));
        });
    }

    [Fact]
    public async Task What_is_under_way_ends_first_and_what_comes_waits()
    {
        BdevClient[] clients = [await _host.OpenAsync("m"), await _host.OpenAsync("m", worker: 1)];
        _hold = true;
        var early = clients.Select(c => c.ReadAsync(_buffer, 5, 1)).ToArray();
        await Eventually.IsTrueAsync(() => { lock (_held) return _held.Count == 2; }, "the reads at the module");
        var quiesce = AppAsync(r => r.QuiesceAsync(_bdev));
        Assert.True(await IsHeldBackAsync(quiesce));
        await LetGoAsync(clients[0]);
        Assert.True(await IsHeldBackAsync(quiesce));
        await LetGoAsync(clients[1]);
        await quiesce;
        Assert.All(await Task.WhenAll(early), o => Assert.True(o.IsSuccess));
        // Reads, writes, compares, and those of a channel that comes later.
        var late = await _host.OpenAsync("m", worker: 2);
        Task<Outcome>[] waiting = [clients[0].ReadAsync(_buffer, 5, 1), clients[1].WriteAsync(_buffer, 9, 1), clients[0].CompareAsync(_equal, 7, 1), late.ReadAsync(_buffer, 0, 1),
            late.CompareAndWriteAsync(_equal, _equal, 3, 1)];
        Assert.True((await clients[0].FlushAsync(0, 1)).IsSuccess);
        Assert.True(await IsHeldBackAsync(waiting));
        await AppAsync(r => r.UnquiesceAsync(_bdev));
        Assert.All(await Task.WhenAll(waiting), o => Assert.True(o.IsSuccess || o.Status == BdevIoStatus.Miscompare));
        foreach (var client in (BdevClient[])[.. clients, late]) await client.DisposeAsync();
    }

    [Fact]
    public async Task A_range_holds_back_what_touches_it_and_nothing_else()
    {
        var client = await _host.OpenAsync("m");
        await AppAsync(r => r.QuiesceRangeAsync(_bdev, 10, 10));
        using var two = new TestBuffer(1024);
        Assert.True((await client.ReadAsync(_buffer, 9, 1)).IsSuccess);
        Assert.True((await client.WriteAsync(_buffer, 20, 1)).IsSuccess);
        Task<Outcome>[] waiting = [client.ReadAsync(two, 9, 2), client.WriteAsync(two, 19, 2), client.CopyAsync(100, 15, 1), client.WriteZeroesAsync(0, 15)];
        Assert.True(await IsHeldBackAsync(waiting));
        var error = await Assert.ThrowsAsync<SpindleException>(() => AppAsync(r => r.UnquiesceRangeAsync(_bdev, 10, 9)));
        Assert.Equal(Errno.EINVAL, error.Errno);
        await AppAsync(r => r.UnquiesceRangeAsync(_bdev, 10, 10));
        Assert.All(await Task.WhenAll(waiting), o => Assert.True(o.IsSuccess));
        Assert.Equal(Errno.EINVAL, (await Assert.ThrowsAsync<SpindleException>(() => AppAsync(r => r.UnquiesceRangeAsync(_bdev, 10, 10)))).Errno);
        await client.DisposeAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Overlapping_ranges_follow_one_another(bool open)
    {
        // With nobody there the ranges have no queue to meet in.
        var client = open ? await _host.OpenAsync("m") : null;
        await AppAsync(r => r.QuiesceRangeAsync(_bdev, 0, 10));
        var second = AppAsync(r => r.QuiesceRangeAsync(_bdev, 5, 10));
        var third = AppAsync(r => r.QuiesceRangeAsync(_bdev, 14, 2));
        await AppAsync(r => r.QuiesceRangeAsync(_bdev, 100, 1)); // meets none
        Assert.True(await IsHeldBackAsync(second, third));
        await AppAsync(r => r.UnquiesceRangeAsync(_bdev, 0, 10));
        await second;
        Assert.True(await IsHeldBackAsync(third));
        await AppAsync(r => r.UnquiesceRangeAsync(_bdev, 5, 10));
        await third;
        await AppAsync(r => r.UnquiesceRangeAsync(_bdev, 14, 2));
        await AppAsync(r => r.UnquiesceRangeAsync(_bdev, 100, 1));
        if (client is null) return;
        Assert.True((await client.ReadAsync(_buffer, 7, 1)).IsSuccess);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task Another_modules_bdev_is_refused_unless_it_has_a_claim()
    {
        var other = _host.Bdevs.ForModule("other");
        Assert.Equal(Errno.EPERM, (await Assert.ThrowsAsync<SpindleException>(() => _host.OnAppAsync(() => other.QuiesceAsync(_bdev)))).Errno);
        Assert.Equal(Errno.EPERM, (await Assert.ThrowsAsync<SpindleException>(() => _host.OnAppAsync(() => other.UnquiesceRangeAsync(_bdev, 0, 1)))).Errno);
        IBdevDescriptor descriptor = null!;
        await _host.OnAppAsync(() =>
        {
            descriptor = other.Open("m", true, static (_, _, _) => { });
            other.Claim(descriptor, BdevClaimType.ExclusiveWrite);
        });
        await _host.OnAppAsync(() => other.QuiesceAsync(_bdev));
        await _host.OnAppAsync(() => other.UnquiesceAsync(_bdev));
        await _host.OnAppAsync(descriptor.Close);
        foreach (var (offset, blocks) in ((ulong, ulong)[])[(0, 0), (2048, 1), (1, 2048), (2, ulong.MaxValue)])
            Assert.Equal(Errno.EINVAL, (await Assert.ThrowsAsync<SpindleException>(() => AppAsync(r => r.QuiesceRangeAsync(_bdev, offset, blocks)))).Errno);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_reset_ends_what_waits_and_leaves_the_range_quiesced(bool hasReset)
    {
        if (hasReset) _bdev.Types.Add(BdevIoType.Reset);
        var client = await _host.OpenAsync("m");
        await AppAsync(r => r.QuiesceAsync(_bdev));
        var waiting = client.ReadAsync(_buffer, 0, 1);
        Assert.True(await IsHeldBackAsync(waiting));
        Assert.True((await client.ResetAsync()).IsSuccess);
        Assert.Equal(BdevIoStatus.Aborted, (await waiting).Status);
        waiting = client.WriteAsync(_buffer, 0, 1);
        Assert.True(await IsHeldBackAsync(waiting));
        await AppAsync(r => r.UnquiesceAsync(_bdev));
        Assert.True((await waiting).IsSuccess);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task Removal_ends_what_waits_with_no_such_device()
    {
        var client = await _host.OpenAsync("m", closeWhenRemoved: true);
        await AppAsync(r => r.QuiesceRangeAsync(_bdev, 0, 100));
        var second = AppAsync(r => r.QuiesceRangeAsync(_bdev, 50, 100));
        using var large = new TestBuffer(512 * 8);
        Task<Outcome>[] waiting = [client.ReadAsync(_buffer, 0, 1), client.WriteAsync(large, 96, 8), client.CompareAndWriteAsync(_equal, _equal, 3, 1), client.WriteZeroesAsync(0, 200)];
        Assert.True(await IsHeldBackAsync(waiting));
        await _host.UnregisterAsync("m").WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.All(await Task.WhenAll(waiting), o => Assert.Equal(Errno.ENODEV, o.Result.ErrorNumber));
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => second)).Errno);
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => AppAsync(r => r.QuiesceAsync(_bdev)))).Errno);
    }

    [Fact]
    public async Task Removal_while_a_quiesce_waits_for_I_O_ends_it()
    {
        var client = await _host.OpenAsync("m", closeWhenRemoved: true);
        _hold = true;
        var early = client.ReadAsync(_buffer, 0, 1);
        await Eventually.IsTrueAsync(() => { lock (_held) return _held.Count == 1; }, "the read at the module");
        var quiesce = AppAsync(r => r.QuiesceAsync(_bdev));
        Assert.True(await IsHeldBackAsync(quiesce));
        var removal = _host.UnregisterAsync("m");
        Assert.True(await IsHeldBackAsync(quiesce, removal));
        await LetGoAsync(client);
        Assert.True((await early).IsSuccess);
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => quiesce)).Errno);
        await removal.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_queue_that_goes_while_a_lock_waits_in_it_does_not_keep_the_lock()
    {
        BdevClient[] clients = [await _host.OpenAsync("m"), await _host.OpenAsync("m", worker: 1)];
        await AppAsync(r => r.QuiesceRangeAsync(_bdev, 0, 10));
        // The compare-and-write of one waits for the range in the queue of the other, which is the first in order.
        var waiting = clients[1].CompareAndWriteAsync(_equal, _equal, 3, 1);
        Assert.True(await IsHeldBackAsync(waiting));
        await clients[0].DisposeAsync();
        await Eventually.IsTrueAsync(() => _host.Bdevs.GetUse(_bdev).Channels == 1, "the end of the channel");
        Assert.True(await IsHeldBackAsync(waiting));
        await AppAsync(r => r.UnquiesceRangeAsync(_bdev, 0, 10));
        Assert.False((await waiting.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)).Error != 0);
        await clients[1].DisposeAsync();
    }

    [Fact]
    public async Task Under_random_load_nothing_is_at_the_module_in_a_quiesced_range()
    {
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        ulong from = 0, to = 0;
        int violations = 0;
        _bdev.OnSubmit = (bdev, io) =>
        {
            if (io.Type != BdevIoType.Flush && io.OffsetBlocks < Volatile.Read(ref to) && Volatile.Read(ref from) < io.OffsetBlocks + io.NumBlocks) Interlocked.Increment(ref violations);
            uint generation = io.Generation;
            var status = bdev.Transfer(io);
            io.Channel.Thread.Send(_ => io.Complete(generation, status), null); // a turn later
        };
        BdevClient[] clients = [await _host.OpenAsync("m"), await _host.OpenAsync("m", worker: 1), await _host.OpenAsync("m", worker: 2)];
        bool stop = false;
        var loads = clients.SelectMany((client, c) => Enumerable.Range(0, 4).Select(async slot =>
        {
            var mine = new Random(seed + c * 10 + slot);
            using var buffer = new TestBuffer(4096);
            using var compare = new TestBuffer(4096);
            int count = 0;
            for (; !Volatile.Read(ref stop); count++)
            {
                ulong at = (ulong)mine.Next(0, 120);
                var outcome = mine.Next(4) switch
                {
                    0 => await client.WriteAsync(buffer, at, 8),
                    1 => await client.CompareAndWriteAsync(compare, compare, at, 8),
                    2 => await client.WriteZeroesAsync(at, 8),
                    _ => await client.ReadAsync(buffer, at, 8),
                };
                Assert.True(outcome.IsSuccess || outcome.Status == BdevIoStatus.Miscompare, outcome.ToString());
            }
            return count;
        })).ToArray();
        for (int round = 0; round < 60; round++)
        {
            ulong offset = (ulong)random.Next(0, 100), blocks = (ulong)random.Next(1, 28);
            await AppAsync(r => r.QuiesceRangeAsync(_bdev, offset, blocks));
            Volatile.Write(ref from, offset);
            Volatile.Write(ref to, offset + blocks);
            await Task.Delay(2, TestContext.Current.CancellationToken);
            Volatile.Write(ref to, 0);
            Volatile.Write(ref from, 0);
            await AppAsync(r => r.UnquiesceRangeAsync(_bdev, offset, blocks));
        }
        Volatile.Write(ref stop, true);
        Assert.All(await Task.WhenAll(loads), count => Assert.True(count > 0));
        Assert.Equal(0, violations);
        foreach (var client in clients) await client.DisposeAsync();
    }
}
