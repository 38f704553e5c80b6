using Spindle.Bdevs;
using Spindle.ContractTests.Faults;
using Spindle.Host.Bdevs.Qos;

namespace Spindle.ContractTests.Layer.Qos;

/// <summary>What becomes of I/O that waits for a limit. Time stands still, so that nothing gets through by itself.</summary>
public sealed class QosLifecycleTests : IAsyncLifetime
{
    private TestHost _host = null!;
    private readonly TestBuffer _buffer = new(4096);

    public async ValueTask InitializeAsync() => _host = await TestHost.StartAsync(new TestHostOptions { ManualClock = true, Workers = 2 });

    public async ValueTask DisposeAsync()
    {
        _host.CheckObservations();
        await _host.DisposeAsync();
        _buffer.Dispose();
    }

    private Task LimitAsync(BdevRateLimits limits) => _host.OnAppAsync(() => _host.Bdevs.SetRateLimitsAsync(_host.Registry.Find("m")!, limits));

    /// <summary>A bdev with a limit that lets one I/O through, and a client with as many waiting.</summary>
    private async Task<(BdevClient Client, Task<Outcome>[] Waiting)> WaitAsync(int count, Action<TestBdev>? setUp = null, bool closeWhenRemoved = false)
    {
        var bdev = new TestBdev("m");
        setUp?.Invoke(bdev);
        await _host.RegisterAsync(bdev);
        await LimitAsync(new(1000, 0, 0, 0));
        var client = await _host.OpenAsync("m", closeWhenRemoved: closeWhenRemoved);
        Assert.True((await client.ReadAsync(_buffer, 0, 8)).IsSuccess);
        Task<Outcome>[] waiting = [.. Enumerable.Range(0, count).Select(i => i % 3 == 0 ? client.WriteAsync(_buffer, 0, 8) : client.ReadAsync(_buffer, 0, 8))];
        await NothingMovesAsync(waiting);
        return (client, waiting);
    }

    private async Task NothingMovesAsync(Task[] waiting)
    {
        for (int i = 0; i < 4; i++) await _host.Clock.AdvanceAsync(TimeSpan.Zero);
        Assert.All(waiting, task => Assert.False(task.IsCompleted));
    }

    [Fact]
    public async Task The_end_of_a_limit_lets_all_go()
    {
        var (client, waiting) = await WaitAsync(100);
        await LimitAsync(BdevRateLimits.None);
        Assert.All(await Task.WhenAll(waiting), outcome => Assert.True(outcome.IsSuccess));
        await client.DisposeAsync();
    }

    [Fact]
    public async Task Another_limit_holds_for_what_waits()
    {
        var (client, waiting) = await WaitAsync(100);
        await LimitAsync(new(0, 0, 1000, 0));
        Assert.All(await Task.WhenAll(waiting), outcome => Assert.True(outcome.IsSuccess));
        await LimitAsync(new(0, 0, 0, 1));
        Assert.True((await client.ReadAsync(_buffer, 0, 8)).IsSuccess);
        Assert.True((await client.WriteAsync(_buffer, 0, 8)).IsSuccess); // lent
        await NothingMovesAsync([client.WriteAsync(_buffer, 0, 8)]);
        await LimitAsync(BdevRateLimits.None);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task A_channel_that_is_opened_later_is_limited_as_well()
    {
        var (client, waiting) = await WaitAsync(1);
        var second = await _host.OpenAsync("m", worker: 1);
        var held = second.ReadAsync(_buffer, 0, 8);
        await NothingMovesAsync([held, .. waiting]);
        for (int i = 0; i < 10; i++) await _host.Clock.AdvanceAsync(TimeSpan.FromMilliseconds(1));
        Assert.True((await held).IsSuccess);
        Assert.True((await waiting[0]).IsSuccess);
        await second.DisposeAsync();
        await client.DisposeAsync();
    }

    [Fact]
    public async Task I_O_that_is_no_read_or_write_passes()
    {
        var (client, waiting) = await WaitAsync(2);
        Assert.True((await client.FlushAsync(0, 8)).IsSuccess);
        await NothingMovesAsync(waiting);
        await LimitAsync(BdevRateLimits.None);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task What_waits_is_aborted()
    {
        var (client, waiting) = await WaitAsync(5);
        object? token = null;
        var one = client.SubmitAsync((channel, done, state) => channel.Read(_buffer.Vectors, 0, 8, done, token = state));
        await NothingMovesAsync([one]);
        Assert.True((await client.SubmitAsync((channel, done, state) => channel.Abort(token!, done, state))).IsSuccess);
        Assert.Equal(BdevIoStatus.Aborted, (await one).Status);
        await NothingMovesAsync(waiting);
        await LimitAsync(BdevRateLimits.None);
        Assert.All(await Task.WhenAll(waiting), outcome => Assert.True(outcome.IsSuccess));
        await client.DisposeAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_reset_aborts_what_waits(bool hasReset)
    {
        var (client, waiting) = await WaitAsync(50, bdev => { if (hasReset) bdev.Types.Add(BdevIoType.Reset); });
        Assert.True((await client.ResetAsync()).IsSuccess);
        Assert.All(await Task.WhenAll(waiting), outcome => Assert.Equal(BdevIoStatus.Aborted, outcome.Status));
        await LimitAsync(BdevRateLimits.None);
        Assert.True((await client.ReadAsync(_buffer, 0, 8)).IsSuccess);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task Removal_does_not_wait_for_the_limit()
    {
        var (client, waiting) = await WaitAsync(50, closeWhenRemoved: true);
        await _host.UnregisterAsync("m").WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.All(await Task.WhenAll(waiting), outcome => Assert.True(outcome.IsSuccess));
        await client.Closed.Task;
        Assert.Null(_host.Registry.Find("m"));
    }

    [Fact]
    public async Task An_I_O_that_the_module_had_no_memory_for_pays_once()
    {
        int refuse = 1, seen = 0;
        var (client, waiting) = await WaitAsync(3, bdev => bdev.OnSubmit = (self, io) =>
        {
            seen++;
            if (seen > 1 && refuse-- > 0) io.Complete(io.Generation, BdevIoStatus.NoMemory);
            else self.CarryOut(io);
        });
        await _host.Clock.AdvanceAsync(TimeSpan.FromMilliseconds(1));
        await Eventually.IsTrueAsync(() => waiting.Count(task => task.IsCompleted) == 1, "the I/O that was paid for");
        await NothingMovesAsync([.. waiting.Where(task => !task.IsCompleted)]);
        Assert.Equal(3, seen);
        await LimitAsync(BdevRateLimits.None);
        await Task.WhenAll(waiting);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task What_is_split_pays_for_each_piece()
    {
        await _host.RegisterAsync(new TestBdev("m", maxRwBlocks: 2));
        await LimitAsync(new(1000, 0, 0, 0));
        var client = await _host.OpenAsync("m");
        var split = client.ReadAsync(_buffer, 0, 8);
        for (int i = 0; i < 2; i++) await _host.Clock.AdvanceAsync(TimeSpan.FromMilliseconds(1));
        await NothingMovesAsync([split]);
        await _host.Clock.AdvanceAsync(TimeSpan.FromMilliseconds(1));
        Assert.True((await split).IsSuccess);
        await client.DisposeAsync();
    }

    [Fact]
    public async Task Random_limits_and_openers_lose_no_I_O()
    {
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await _host.RegisterAsync(new TestBdev("m"));
        var clients = new List<BdevClient>();
        var outcomes = new List<Task<Outcome>>();
        for (int step = 0; step < 200; step++)
        {
            switch (random.Next(8))
            {
                case 0 when clients.Count < 4:
                    clients.Add(await _host.OpenAsync("m", worker: random.Next(2)));
                    break;
                case 1 when clients.Count > 2:
                    var closing = clients[0];
                    clients.RemoveAt(0);
                    var closed = closing.DisposeAsync().AsTask();
                    while (!closed.IsCompleted) await _host.Clock.AdvanceAsync(TimeSpan.FromMilliseconds(50));
                    await closed;
                    break;
                case 2:
                    ulong Any(ulong most) => random.Next(3) == 0 ? (ulong)random.NextInt64(1, (long)most) : 0;
                    await LimitAsync(new(Any(20_000), Any(50), Any(50), Any(50)));
                    break;
                case 3 when clients.Count > 0 && random.Next(4) == 0:
                    outcomes.Add(clients[0].ResetAsync());
                    break;
                case 4:
                    await _host.Clock.AdvanceAsync(TimeSpan.FromMilliseconds(random.Next(5)));
                    break;
                default:
                    foreach (var client in clients)
                        for (int i = random.Next(8); i > 0; i--)
                            outcomes.Add(random.Next(2) == 0 ? client.WriteAsync(_buffer, 0, 8) : client.ReadAsync(_buffer, 0, 8));
                    break;
            }
        }
        await LimitAsync(BdevRateLimits.None);
        Assert.All(await Task.WhenAll(outcomes), outcome => Assert.True(outcome.IsSuccess || outcome.Status == BdevIoStatus.Aborted));
        foreach (var client in clients) await client.DisposeAsync();
    }
}
