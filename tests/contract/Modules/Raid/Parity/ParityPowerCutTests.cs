using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Raid.Parity;

/// <summary>Power cuts at any moment of writes, of taking a member out and of bringing the array in step: afterwards each block holds what was durable or was being written; or, where a member is
/// missing as well, cannot be read. It never holds anything else, and what was read once does not change.</summary>
public sealed class ParityPowerCutTests(ContractHost host, ITestOutputHelper output) : ParityArrayTest(host)
{
    private const int Stripes = 10;

    public static TheoryData<string, int, bool, string> Cases => new()
    {
        { "raid5f", 3, false, "nothing" }, { "raid5f", 4, true, "nothing" }, { "raid5f", 3, false, "a member before" }, { "raid5f", 3, true, "a member meanwhile" }, { "raid5f", 4, false, "a member after" },
        { "raid6", 4, false, "nothing" }, { "raid6", 5, true, "nothing" }, { "raid6", 4, false, "a member before" }, { "raid6", 4, true, "a member meanwhile" }, { "raid6", 5, false, "a member after" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public Task A_few_moments(string level, int members, bool writeCache, string lost) => RunAsync(level, members, writeCache, lost, cuts: 3);

    [Theory]
    [Trait("Category", "Slow")]
    [MemberData(nameof(Cases))]
    public Task Any_moment(string level, int members, bool writeCache, string lost) => RunAsync(level, members, writeCache, lost, cuts: 40);

    private async Task RunAsync(string level, int members, bool writeCache, string lost, int cuts)
    {
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        int parities = level == "raid6" ? 2 : 1, stripeBlocks = (members - parities) * Strip, blocks = Stripes * stripeBlocks;
        var uuids = Enumerable.Range(0, members).Select(_ => Guid.NewGuid()).ToArray();
        byte[][] empty = [.. Enumerable.Range(0, members).Select(_ => new byte[(1 << 20) + Stripes * Strip * (int)Block])];
        var disks = await RegisterAsync(empty, uuids, writeCache);
        string name = await ArrayAsync(level, disks.Select(disk => disk.Name), superblock: true);
        if (lost == "a member before") await CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{disks[random.Next(members)].Name}}"}""");
        long start = PowerCutDisk.Now;
        var model = new CutModel(blocks);
        var workers = new List<Task>();
        for (int worker = 0; worker < 3; worker++) workers.Add(WorkAsync(await OpenAsync(name, worker: worker), model, worker, 3, level == "raid5f" ? stripeBlocks : 5, random.Next(), cuts > 10 ? 60 : 25));
        if (lost == "a member meanwhile")
        {
            await Task.Delay(random.Next(20), Cancel);
            await CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{disks[random.Next(members)].Name}}"}""");
        }
        await Task.WhenAll(workers);
        long end = PowerCutDisk.Now;
        await RemoveAsync(name, disks);
        int unreadable = 0, read = 0;
        for (int cut = 0; cut < cuts; cut++)
        {
            long time = random.NextInt64(start, end + 1);
            string where = $"seed {seed}, cut {cut} at {time - start} of {end - start}";
            byte[][] left = [.. disks.Select(disk => disk.Cut(disk.MomentsAt(time), random))];
            var again = await RegisterAsync(left, uuids, writeCache);
            await OnlineAsync(name, where);
            if (lost == "a member after") await CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{again[random.Next(members)].Name}}"}""");
            byte[]?[] first = await ReadAsync(name, blocks);
            Check(first, model, time, writeCache, where, mayFail: lost != "nothing");
            unreadable += first.Count(block => block is null);
            read += first.Count(block => block is not null);
            await IdleAsync(name);
            long quiet = PowerCutDisk.Now;
            var second = await ReadAsync(name, blocks);
            Same(first, second, where);
            if (lost == "nothing")
            {
                byte[][] raw = [.. again.Select(disk => disk.Cut(disk.Moments, random)[(1 << 20)..])];
                if (!writeCache) Assert.Empty(OutOfStep(level, raw, Stripes));
                // Now that it is in step, any member may go.
                string gone = again[random.Next(members)].Name;
                await CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{gone}}"}""");
                Same(first, await ReadAsync(name, blocks), $"{where}, without {gone}");
            }
            await RemoveAsync(name, again);
            // The power goes again while it is brought in step.
            long later = random.NextInt64(time, quiet + 1);
            byte[][] twice = [.. again.Select(disk => disk.Cut(disk.MomentsAt(later), random))];
            again = await RegisterAsync(twice, uuids, writeCache);
            await OnlineAsync(name, where);
            Check(await ReadAsync(name, blocks), model, time, writeCache, $"{where}, and again while it was brought in step", mayFail: lost != "nothing");
            await IdleAsync(name);
            await RemoveAsync(name, again);
        }
        output.WriteLine($"{cuts} cuts; {read} blocks read, {unreadable} refused");
        Assert.True(read > unreadable);
    }

    private async Task<PowerCutDisk[]> RegisterAsync(byte[][] contents, Guid[] uuids, bool writeCache)
    {
        var disks = new PowerCutDisk[contents.Length];
        for (int i = 0; i < disks.Length; i++)
        {
            disks[i] = new PowerCutDisk(ContractHost.NewName(ModuleHarness.Examined), Block, contents[i], writeCache) { Uuid = uuids[i] };
            Track(disks[i].Name);
            await Host.RegisterAsync(disks[i]);
        }
        await Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());
        return disks;
    }

    private async Task RemoveAsync(string name, PowerCutDisk[] disks)
    {
        await CallAsync("bdev_raid_delete", $$"""{"name":"{{name}}"}""");
        foreach (var disk in disks) await Host.UnregisterAsync(disk.Name);
    }

    private Task OnlineAsync(string name, string where) => Eventually.IsTrueAsync(() => Host.Registry.Find(name) is not null, $"the array, {where}");

    /// <summary>No background process runs.</summary>
    private async Task IdleAsync(string name)
    {
        for (int i = 0; i < 2000; i++)
        {
            string all = await CallAsync("bdev_raid_get_bdevs", """{"category":"all"}""");
            if (all.Contains($"\"{name}\"", StringComparison.Ordinal) && !all.Contains("\"process\"", StringComparison.Ordinal)) return;
            await Task.Delay(5, Cancel);
        }
        Assert.Fail("a background process does not end");
    }

    private async Task WorkAsync(BdevClient client, CutModel model, int index, int count, int run, int seed, int steps)
    {
        var random = new Random(seed);
        int runs = (int)client.Bdev.BlockCount / run;
        for (int i = 0; i < steps; i++)
        {
            if (random.Next(8) == 0)
            {
                long begin = PowerCutDisk.Now;
                Assert.True((await client.FlushAsync(0, client.Bdev.BlockCount)).IsSuccess);
                model.Flushed(begin);
                continue;
            }
            int at = (random.Next(runs / count) * count + index) * run, blocks = run;
            if (run == 5)
            {
                int from = random.Next(run);
                (at, blocks) = (at + from, 1 + random.Next(run - from));
            }
            byte[] data = RandomBytes(random, (ulong)blocks * Block);
            using var buffer = new TestBuffer(data.Length);
            buffer.Set(data);
            var ended = model.Write(at, data, (int)Block);
            var outcome = await client.WriteAsync(buffer, (ulong)at, (ulong)blocks);
            Assert.True(outcome.IsSuccess, outcome.ToString());
            ended();
        }
        await client.DisposeAsync();
    }

    /// <summary>Each block by itself; null where it cannot be read.</summary>
    private async Task<byte[]?[]> ReadAsync(string name, int blocks)
    {
        await using var client = await OpenAsync(name, write: false);
        var read = new byte[]?[blocks];
        using var buffer = new TestBuffer((int)Block);
        for (int i = 0; i < blocks; i++)
        {
            buffer.Fill(0xEE);
            if ((await client.ReadAsync(buffer, (ulong)i, 1)).IsSuccess) read[i] = buffer.ToArray();
        }
        return read;
    }

    private static void Check(byte[]?[] read, CutModel model, long time, bool writeCache, string where, bool mayFail)
    {
        for (int block = 0; block < read.Length; block++)
        {
            if (read[block] is { } data) Assert.True(model.Allows(block, data, time, writeCache), $"{where}: block {block} holds neither what was durable nor what was written since");
            else Assert.True(mayFail, $"{where}: block {block} cannot be read");
        }
    }

    private static void Same(byte[]?[] first, byte[]?[] second, string where)
    {
        for (int block = 0; block < first.Length; block++)
            if (first[block] is { } data && second[block] is { } later) Assert.True(data.AsSpan().SequenceEqual(later), $"{where}: block {block} has changed by itself");
            else Assert.True(first[block] is null, $"{where}: block {block} can no longer be read");
    }
}
