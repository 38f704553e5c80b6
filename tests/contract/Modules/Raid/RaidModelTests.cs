using Spindle.Bdev.Raid;
using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Raid;

/// <summary>A mirror under load while its members fail, vanish, come back stale, are replaced, cannot be read in places, and all of it is taken away and found again. Whatever happens, what is read is
/// what was written, and no I/O fails.</summary>
public sealed class RaidModelTests(ContractHost host, ITestOutputHelper output) : RaidTest(host)
{
    private const int Blocks = 1024, Run = 4, Clients = 3;

    private readonly byte[] _model = new byte[Blocks * (int)Block];
    private readonly List<MemoryDisk> _present = [];
    private readonly List<MemoryDisk> _away = [];
    private Random _random = null!;
    private string _name = "";

    [Theory]
    [InlineData(2, 40, false)]
    [InlineData(3, 40, true)]
    public Task Whatever_happens_to_the_members(int slots, int events, bool writeCache) => RunAsync(slots, events, writeCache);

    [Theory]
    [Trait("Category", "Slow")]
    [InlineData(2, 600, false)]
    [InlineData(3, 600, false)]
    [InlineData(4, 600, true)]
    public Task Whatever_happens_to_the_members_for_long(int slots, int events, bool writeCache) => RunAsync(slots, events, writeCache);

    private async Task RunAsync(int slots, int events, bool writeCache)
    {
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        _random = new Random(seed);
        _present.AddRange(await DisksAsync(slots, Blocks, writeCache));
        await CallAsync("bdev_raid_set_options", """{"process_window_size_kb":16,"process_max_bandwidth_mb_sec":20}""");
        try
        {
            _name = await ArrayAsync("raid1", _present);
            var counts = new Dictionary<string, int>();
            for (int done = 0; done < events;)
            {
                // A life of the array: load without end, and things that happen; then it is taken away and found again.
                using var stop = new CancellationTokenSource();
                var clients = new List<BdevClient>();
                for (int i = 0; i < Clients; i++) clients.Add(await OpenAsync(_name, worker: i));
                var loads = clients.Select((client, i) => LoadAsync(client, i, _random.Next(), stop.Token)).ToArray();
                for (int life = _random.Next(5, 15); life > 0 && done < events; life--, done++)
                {
                    await Task.Delay(_random.Next(1, 15), Cancel);
                    string what = await HappenAsync();
                    counts[what] = counts.GetValueOrDefault(what) + 1;
                    foreach (var load in loads) Assert.False(load.IsFaulted, $"seed {seed}, after {what}: {load.Exception}");
                }
                stop.Cancel();
                await Task.WhenAll(loads);
                foreach (var client in clients) await client.DisposeAsync();
                Assert.Equal(_model, await ReadAllAsync(_name));
                await FindAgainAsync();
                Assert.Equal(_model, await ReadAllAsync(_name));
            }
            output.WriteLine(string.Join(", ", counts.Select(pair => $"{pair.Key} {pair.Value}")));
            await FillAsync();
            await WholeAsync(_name);
            foreach (var disk in await MembersAsync()) Assert.Equal(_model, await RawAsync(Host.Registry.Find(disk)!));
        }
        finally
        {
            await CallAsync("bdev_raid_set_options", """{"process_window_size_kb":1024,"process_max_bandwidth_mb_sec":0}""");
        }
    }

    /// <summary>Members that have the data.</summary>
    private Task<string[]> MembersAsync() => Host.OnAppAsync(() => Task.FromResult(Arrays.Find(_name)!.Slots.Where(slot => slot.Member is not null && !slot.IsTarget).Select(slot => slot.Member!.Name).ToArray()));

    private async Task<string> HappenAsync()
    {
        string[] whole = await MembersAsync();
        var members = _present.Where(disk => whole.Contains(disk.Name) && disk.Intercept is null).ToArray();
        int what = _random.Next(6);
        if (what == 0 && members.Length > 1)
        {
            var disk = members[_random.Next(members.Length)];
            disk.Intercept = static io => io.Type is BdevIoType.Write or BdevIoType.WriteZeroes or BdevIoType.Flush ? BdevIoResult.FromErrno(Errno.EIO) : null;
            return "fails";
        }
        if (what == 1 && members.Length > 1)
        {
            var disk = members[_random.Next(members.Length)];
            _present.Remove(disk);
            _away.Add(disk);
            await VanishAsync(disk);
            return "vanishes";
        }
        if (what == 2 && _away.Count > 0)
        {
            var disk = _away[_random.Next(_away.Count)];
            _away.Remove(disk);
            var back = disk.Renamed(ContractHost.NewName(ModuleHarness.Examined), disk.Uuid);
            _present.Add(back);
            await AppearAsync(back);
            return "comes back";
        }
        if (what == 3 && members.Length > 1)
        {
            var disk = members[_random.Next(members.Length)];
            var bad = Enumerable.Range(0, 5).Select(_ => DataOffset + (ulong)_random.Next(Blocks)).ToHashSet();
            disk.Intercept = io =>
            {
                lock (bad)
                {
                    if (io.Type is not (BdevIoType.Read or BdevIoType.Write)) return null;
                    ulong[] hit = [.. bad.Where(block => block >= io.OffsetBlocks && block < io.OffsetBlocks + io.NumBlocks)];
                    if (io.Type == BdevIoType.Write) bad.ExceptWith(hit);
                    return io.Type == BdevIoType.Read && hit.Length > 0 ? BdevIoResult.FromNvme(2, 0x81) : null;
                }
            };
            return "cannot be read in places";
        }
        if (what == 4 && members.Length > 1)
        {
            await RemoveAsync(members[_random.Next(members.Length)]);
            return "is taken out";
        }
        await AddAsync(_random.Next(2) == 0);
        return "is put in";
    }

    /// <summary>Puts a new disk, or one that was taken out, into an empty slot.</summary>
    private async Task AddAsync(bool fresh)
    {
        string[] taken = await Host.OnAppAsync(() => Task.FromResult(Arrays.Find(_name)!.Slots.Select(slot => slot.Name ?? "").ToArray()));
        if (!taken.Contains("")) return;
        MemoryDisk? disk = fresh ? null : _present.Find(disk => !taken.Contains(disk.Name));
        if (disk is null)
        {
            disk = NewDisk(Blocks);
            _present.Add(disk);
            await AppearAsync(disk);
        }
        disk.Intercept = null;
        try
        {
            await AddAsync(_name, disk);
        }
        catch (Spindle.Rpc.RpcException)
        {
            // A process runs, or the slot's disk was faster; or it is a disk whose place was given to another one.
        }
    }

    private async Task FillAsync()
    {
        foreach (var disk in _present) disk.Intercept = null;
        for (int i = 0; i < 200; i++)
        {
            if (await Host.OnAppAsync(() => Task.FromResult(Arrays.Find(_name)!.Slots.All(slot => slot.Member is not null)))) return;
            await AddAsync(fresh: true);
            await Task.Delay(10, Cancel);
        }
    }

    /// <summary>The host ends and begins again; the disks appear in any order.</summary>
    private async Task FindAgainAsync()
    {
        await DeleteAsync(_name);
        var all = _present.ToArray();
        _present.Clear();
        foreach (var disk in all) await VanishAsync(disk);
        foreach (var disk in all.OrderBy(_ => _random.Next()))
        {
            var back = disk.Renamed(ContractHost.NewName(ModuleHarness.Examined), disk.Uuid);
            _present.Add(back);
            await AppearAsync(back);
        }
        await UntilAsync(async () => await StateAsync(_name) == "online", $"{_name} to be online again");
    }

    private async Task LoadAsync(BdevClient client, int index, int seed, CancellationToken stop)
    {
        var random = new Random(seed);
        using var buffer = new TestBuffer(Run * (int)Block);
        while (!stop.IsCancellationRequested)
        {
            int run = random.Next(Blocks / Run / Clients) * Clients + index, from = random.Next(Run), blocks = 1 + random.Next(Run - from);
            int at = (run * Run + from) * (int)Block, length = blocks * (int)Block;
            ulong first = (ulong)(run * Run + from);
            if (random.Next(3) == 0)
            {
                byte[] read = await client.ReadBytesAsync(first, (ulong)blocks);
                Assert.True(read.AsSpan().SequenceEqual(_model.AsSpan(at, length)), $"blocks {first} to {first + (ulong)blocks - 1} are not what was written");
                continue;
            }
            byte[] data = new byte[length];
            if (random.Next(6) == 0)
            {
                var zeroed = await client.WriteZeroesAsync(first, (ulong)blocks);
                Assert.True(zeroed.IsSuccess, $"write zeroes: {zeroed}");
            }
            else
            {
                random.NextBytes(data);
                await client.WriteBytesAsync(first, data);
            }
            data.CopyTo(_model.AsSpan(at));
        }
    }
}
