using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Host.Bdevs;
using Spindle.Rpc;

namespace Spindle.ContractTests.Model;

/// <summary>Random stacks of virtual bdevs, three deep on malloc: as one they behave as a byte array, and whichever level is taken away under load, what is above
/// goes and what is below stays. A failure prints the seed; SPINDLE_TEST_SEED runs one seed.</summary>
public sealed class StackTests(ContractHost host) : BdevTest(host)
{
    private const int Depth = 3;
    private static readonly string[] s_kinds = ["split", "passthru", "delay", "error", "crypto"];

    public static TheoryData<int> Seeds
    {
        get
        {
            var data = new TheoryData<int>();
            if (int.TryParse(Environment.GetEnvironmentVariable("SPINDLE_TEST_SEED"), out int one)) data.Add(one);
            else for (int seed = 1; seed <= 12; seed++) data.Add(seed);
            return data;
        }
    }

    private static string[] Kinds(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, Depth).Select(_ => s_kinds[random.Next(s_kinds.Length)])];
    }

    private static uint BlockSize(int seed) => seed % 3 == 0 ? 4096u : 512;

    /// <summary>Malloc, and what sits on it, the lowest first.</summary>
    private async Task<List<BdevSubject>> StackAsync(int seed) => await StackAsync(seed, await Subjects.MallocAsync(Host, new() { NumBlocks = 4096, BlockSize = BlockSize(seed) }));

    /// <summary>A bdev, and what sits on it, the lowest first.</summary>
    private async Task<List<BdevSubject>> StackAsync(int seed, BdevSubject lowest)
    {
        var levels = new List<BdevSubject> { lowest };
        foreach (string kind in Kinds(seed))
        {
            var lower = levels[^1];
            levels.Add(kind switch
            {
                "split" => await Subjects.SplitAsync(Host, lower, count: 2, part: 1),
                "passthru" => await Subjects.PassthruAsync(Host, lower),
                "delay" => await Subjects.DelayAsync(Host, lower, average: 5, p99: 50),
                "error" => await Subjects.ErrorAsync(Host, lower),
                _ => await Subjects.CryptoAsync(Host, lower, seed % 2 == 0 ? 16 : 32),
            });
        }
        return levels;
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public Task A_stack_agrees_with_the_model(int seed) => AgreeAsync(seed);

    [Fact]
    public Task A_new_stack_agrees_with_the_model() => AgreeAsync(Random.Shared.Next());

    private async Task AgreeAsync(int seed)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {string.Join(", ", Kinds(seed))} on malloc");
        var suite = new BdevConformance(Host, async () => (await StackAsync(seed))[^1]) { Seed = seed, Sequences = 1, SequenceSteps = 300 };
        Assert.Null(await suite.RunAsync("model.random-io"));
    }

    public static TheoryData<int, int> SeedsAndLevels
    {
        get
        {
            var data = new TheoryData<int, int>();
            foreach (int seed in Seeds.Select(row => row.Data))
                for (int level = 0; level <= Depth; level++) data.Add(seed, level);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(SeedsAndLevels))]
    public async Task A_level_that_is_taken_away_under_load_takes_what_is_above_and_nothing_else(int seed, int level)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: level {level} of malloc, {string.Join(", ", Kinds(seed))}");
        var levels = await StackAsync(seed);
        foreach (string name in levels[^1].Below) Track(name);
        Track(levels[^1].Name);
        var clients = new[] { await OpenAsync(levels[^1].Name, closeWhenRemoved: true), await OpenAsync(levels[^1].Name, worker: 1, closeWhenRemoved: true) };
        var load = clients.SelectMany((client, i) => Enumerable.Range(0, 4).Select(slot => LoadAsync(client, seed, (ulong)((i * 4) + slot) * 16))).ToArray();
        await Eventually.IsTrueAsync(() => load.All(one => one.Rounds > 3 || one.Task.IsCompleted), "the load");
        Assert.All(load, one => Assert.False(one.Task.IsCompleted));

        await levels[level].DeleteAsync!().WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        await Task.WhenAll(load.Select(one => one.Task)).WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        Assert.All(load, one => Assert.Null(one.Problem));
        for (int i = 0; i <= Depth; i++)
        {
            string name = levels[i].Name;
            if (i >= level) await Eventually.IsTrueAsync(() => Host.Registry.Find(name) is null, $"level {i} to go");
            else Assert.NotNull(Host.Registry.Find(name));
        }
        if (level > 0)
        {
            // What the one above held is free again, and works.
            Assert.Equal(BdevClaimType.None, BdevRegistry.GetClaim(Host.Registry.Find(levels[level - 1].Name)!).Type);
            await using var below = await OpenAsync(levels[level - 1].Name);
            byte[] data = RandomBytes(new Random(seed), 8 * (ulong)below.Bdev.BlockSize);
            await below.WriteBytesAsync(3, data);
            Assert.Equal(data, await below.ReadBytesAsync(3, 8));
        }
        for (int i = Depth; i >= 0; i--)
        {
            // Some are forgotten with their base, others wait for it.
            try { if (i != level) await levels[i].DeleteAsync!().WaitAsync(TimeSpan.FromSeconds(30), Cancel); }
            catch (Exception e) when (e is SpindleException or RpcException) { }
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task A_new_size_goes_up_through_the_stack_under_load(int seed)
    {
        var kinds = Kinds(seed);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {string.Join(", ", kinds)} on aio");
        string file = NewFile("/dev/shm", 4096L * BlockSize(seed));
        var levels = await StackAsync(seed, await Subjects.AioAsync(Host, new() { Name = ContractHost.NewName("file"), Filename = file, BlockSize = BlockSize(seed) }));
        foreach (string name in levels[^1].Below) Track(name);
        Track(levels[^1].Name);
        var client = await OpenAsync(levels[^1].Name, closeWhenRemoved: true);
        var load = Enumerable.Range(0, 4).Select(slot => LoadAsync(client, seed, (ulong)slot * 16)).ToArray();
        await Eventually.IsTrueAsync(() => load.All(one => one.Rounds > 3 || one.Task.IsCompleted), "the load");

        await levels[0].GrowAsync!(1000);

        // Parts of a split bdev stay as they are, and so does what sits on them.
        ulong grown = 4096 + 1000, stays = 4096;
        for (int level = 0; level <= Depth; level++)
        {
            if (level > 0 && kinds[level - 1] == "split") (grown, stays) = (stays / 2, stays / 2);
            string name = levels[level].Name;
            await Eventually.IsTrueAsync(() => Host.Registry.Find(name)!.BlockCount == grown, $"level {level} to have {grown} blocks");
        }
        bool follows = grown != stays;
        await Eventually.IsTrueAsync(() => { lock (client.Events) return client.Events.Contains(BdevEventType.Resize) == follows; }, "the event");
        byte[] data = RandomBytes(new Random(seed), 8 * (ulong)client.Bdev.BlockSize);
        await client.WriteBytesAsync(grown - 8, data);
        Assert.Equal(data, await client.ReadBytesAsync(grown - 8, 8));
        var rounds = load.Select(one => one.Rounds).ToArray();
        await Eventually.IsTrueAsync(() => load.Zip(rounds).All(one => one.First.Rounds > one.Second + 1 || one.First.Task.IsCompleted), "the load to go on");
        Assert.All(load, one => Assert.False(one.Task.IsCompleted));

        for (int level = Depth; level >= 0; level--) await levels[level].DeleteAsync!().WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        await Task.WhenAll(load.Select(one => one.Task)).WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        Assert.All(load, one => Assert.Null(one.Problem));
    }

    private static LoadOfOne LoadAsync(BdevClient client, int seed, ulong offset)
    {
        var load = new LoadOfOne();
        load.Task = Task.Run(() => load.RunAsync(client, new Random(seed + (int)offset), offset));
        return load;
    }

    /// <summary>Writes and reads 16 blocks of its own until the bdev goes.</summary>
    private sealed class LoadOfOne
    {
        private volatile int _rounds;

        public Task Task { get; set; } = Task.CompletedTask;
        public int Rounds => _rounds;
        public string? Problem { get; private set; }

        public async Task RunAsync(BdevClient client, Random random, ulong offset)
        {
            int bytes = 16 * (int)client.Bdev.BlockSize;
            using var buffer = new TestBuffer(TestBuffer.OddSplit(random, bytes, 5), 3);
            while (true)
            {
                byte[] data = RandomBytes(random, (ulong)bytes);
                buffer.Set(data);
                if (!(await client.WriteAsync(buffer, offset, 16)).IsSuccess) return;
                buffer.Fill(0);
                if (!(await client.ReadAsync(buffer, offset, 16)).IsSuccess) return;
                if (!data.AsSpan().SequenceEqual(buffer.ToArray())) Problem ??= $"the blocks at {offset} are not what was written";
                _rounds++;
            }
        }
    }
}
