using Spindle.Bdev.Raid;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Modules.Raid.Parity;

namespace Spindle.ContractTests.Modules.Raid;

/// <summary>Power cuts at any moment of writes, of taking members out, of rebuilding and of bringing in step, with a member lost as well. Afterwards each block holds what was durable or was being written, and
/// what was read once does not change.</summary>
public sealed class MirrorPowerCutTests(ContractHost host, ITestOutputHelper output) : RaidTest(host)
{
    private const int Blocks = 256;

    public static TheoryData<int, bool, string, bool> Cases => new()
    {
        { 2, false, "nothing", false }, { 2, true, "nothing", true }, { 3, false, "taken out", false }, { 3, true, "taken out", true }, { 2, false, "rebuilt", true }, { 3, true, "rebuilt", true },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public Task A_few_moments(int members, bool writeCache, string happens, bool loses) => RunAsync(members, writeCache, happens, loses, cuts: 4);

    [Theory]
    [Trait("Category", "Slow")]
    [MemberData(nameof(Cases))]
    public Task Any_moment(int members, bool writeCache, string happens, bool loses) => RunAsync(members, writeCache, happens, loses, cuts: 60);

    private async Task RunAsync(int members, bool writeCache, string happens, bool loses, int cuts)
    {
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var uuids = Enumerable.Range(0, members).Select(_ => Guid.NewGuid()).ToArray();
        var disks = await RegisterAsync([.. Enumerable.Range(0, members).Select(_ => new byte[((int)DataOffset + Blocks) * (int)Block])], uuids, writeCache);
        string name = await ArrayAsync("raid1", disks);
        long start = PowerCutDisk.Now;
        var model = new CutModel(Blocks);
        var workers = new List<Task>();
        for (int worker = 0; worker < 3; worker++) workers.Add(WorkAsync(await OpenAsync(name, worker: worker), model, worker, random.Next(), cuts > 10 ? 80 : 30));
        if (happens != "nothing")
        {
            await Task.Delay(random.Next(10), Cancel);
            var disk = disks[random.Next(members)];
            await RemoveAsync(disk);
            if (happens == "rebuilt")
            {
                await CallAsync("bdev_raid_set_options", """{"process_window_size_kb":8}""");
                await AddAsync(name, disk);
                await CallAsync("bdev_raid_set_options", """{"process_window_size_kb":1024}""");
            }
        }
        await Task.WhenAll(workers);
        if (happens == "rebuilt") await WholeAsync(name);
        long end = PowerCutDisk.Now;
        await DeleteAsync(name);
        foreach (var disk in disks) await VanishAsync(disk);
        int degraded = 0;
        for (int cut = 0; cut < cuts; cut++)
        {
            long time = random.NextInt64(start, end + 1);
            string where = $"seed {seed}, cut {cut} at {time - start} of {end - start}";
            byte[][] left = [.. disks.Select(disk => disk.Cut(disk.MomentsAt(time), random))];
            int lost = loses ? Expendable(left, random) : -1;
            var again = await RegisterAsync([.. left.Where((_, i) => i != lost)], [.. uuids.Where((_, i) => i != lost)], writeCache);
            if (await StateAsync(name) == "configuring")
            {
                Assert.True(lost >= 0, where);
                degraded++;
                await CallAsync("bdev_raid_start_degraded", $$"""{"name":"{{name}}"}""");
            }
            Assert.Equal("online", await StateAsync(name));
            byte[] first = await ReadAllAsync(name);
            for (int block = 0; block < Blocks; block++)
                Assert.True(model.Allows(block, first.AsSpan(block * (int)Block, (int)Block), time, writeCache), $"{where}: block {block} holds neither what was durable nor what was written since");
            await UntilAsync(async () => (await InfoAsync(name))!["process"] is null, $"the process to end, {where}");
            for (int i = 0; i < 3; i++) Assert.Equal(first, await ReadAllAsync(name));
            // All that belong to it are in step.
            foreach (string member in await Host.OnAppAsync(() => Task.FromResult(Arrays.Find(name)!.Slots.Where(slot => slot.Member is not null).Select(slot => slot.Member!.Name).ToArray())))
                Assert.Equal(first, await RawAsync(Host.Registry.Find(member)!));
            await DeleteAsync(name);
            foreach (var disk in again) await VanishAsync(disk);
        }
        output.WriteLine($"{cuts} cuts, {degraded} started without a member");
    }

    /// <summary>A member that may be lost: another one is left that has the newest superblock, and the data by what that says; -1 when there is none.</summary>
    private static int Expendable(byte[][] disks, Random random)
    {
        RaidSuperblock?[] supers = [.. disks.Select(SuperOf)];
        ulong newest = supers.Max(super => super?.Sequence ?? 0);
        foreach (int lost in Enumerable.Range(0, disks.Length).OrderBy(_ => random.Next()))
        {
            for (int i = 0; i < disks.Length; i++)
                if (i != lost && supers[i] is { } super && super.Sequence == newest && super.Member(i).State == SuperblockMemberState.Configured) return lost;
        }
        return -1;
    }

    private static RaidSuperblock? SuperOf(byte[] disk)
    {
        try
        {
            return RaidSuperblock.Parse(disk.AsSpan(0, RaidSuperblock.MostBytes));
        }
        catch (SpindleException)
        {
            return null; // cut off in the middle
        }
    }

    private async Task<PowerCutDisk[]> RegisterAsync(byte[][] contents, Guid[] uuids, bool writeCache)
    {
        var disks = new PowerCutDisk[contents.Length];
        for (int i = 0; i < disks.Length; i++)
        {
            disks[i] = new PowerCutDisk(ContractHost.NewName(ModuleHarness.Examined), Block, contents[i], writeCache) { Uuid = uuids[i] };
            await AppearAsync(disks[i]);
        }
        return disks;
    }

    private static async Task WorkAsync(BdevClient client, CutModel model, int index, int seed, int steps)
    {
        var random = new Random(seed);
        for (int i = 0; i < steps; i++)
        {
            if (random.Next(8) == 0)
            {
                long begin = PowerCutDisk.Now;
                Assert.True((await client.FlushAsync(0, client.Bdev.BlockCount)).IsSuccess);
                model.Flushed(begin);
                continue;
            }
            int at = (random.Next(Blocks / 4 / 3) * 3 + index) * 4 + random.Next(2), blocks = 1 + random.Next(3);
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
}
