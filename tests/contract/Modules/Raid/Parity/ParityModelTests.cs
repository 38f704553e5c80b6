using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Raid.Parity;

/// <summary>Random I/O from several threads to the same stripes, against an array of bytes, with members that fail or are unreadable in places meanwhile. Afterwards the parity on the disks
/// is summed anew, and every set of members is taken away that the level can do without.</summary>
public sealed class ParityModelTests(ContractHost host, ITestOutputHelper output) : ParityArrayTest(host)
{
    private const int Stripes = 24;

    public static TheoryData<string, int, bool, string> Cases => new()
    {
        { "raid5f", 3, false, "nothing" }, { "raid5f", 5, true, "nothing" }, { "raid5f", 4, true, "one member" }, { "raid5f", 3, false, "unreadable blocks" },
        { "raid6", 4, false, "nothing" }, { "raid6", 7, true, "nothing" }, { "raid6", 5, true, "one member" }, { "raid6", 6, true, "two members" }, { "raid6", 4, true, "two members" },
        { "raid6", 5, false, "unreadable blocks" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Random_io_from_several_threads(string level, int members, bool superblock, string fails)
    {
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var disks = await DisksAsync(members, Stripes, superblock);
        string[] names = [.. disks.Select(disk => disk.Name)];
        string name = await ArrayAsync(level, names, superblock);
        int parities = level == "raid6" ? 2 : 1;
        if (fails == "unreadable blocks") MakeUnreadable(disks, parities, random);
        var writers = new List<Writer>();
        int stripeBlocks = (members - parities) * Strip;
        byte[] model = new byte[Stripes * stripeBlocks * (int)Block];
        for (int i = 0; i < 4; i++) writers.Add(new Writer(await OpenAsync(name, worker: i % 2), model, i, 4, level == "raid5f" ? stripeBlocks : 3, random.Next()));
        var runs = writers.ConvertAll(writer => writer.RunAsync(120));
        int failing = fails switch { "one member" => 1, "two members" => 2, _ => 0 };
        int[] lost = [.. Enumerable.Range(0, members).OrderBy(_ => random.Next()).Take(failing)];
        foreach (int slot in lost)
        {
            await Task.Delay(random.Next(1, 30), Cancel);
            disks[slot].Intercept = static _ => BdevIoResult.Of(BdevIoStatus.Failed);
        }
        foreach (string? failure in await Task.WhenAll(runs)) Assert.True(failure is null, $"seed {seed}: {failure}");
        await CompareAsync(name, model, $"seed {seed}: at the end");
        if (fails == "nothing") Assert.Empty(await StripesOutOfStepAsync(level, names, Stripes, superblock));
        foreach (var disk in disks.Where((_, slot) => !lost.Contains(slot))) disk.Intercept = null;
        if (fails == "unreadable blocks") return;
        // All that may still go, goes.
        for (int left = parities - failing; left > 0; left--)
        {
            var there = names.Where((_, slot) => !lost.Contains(slot)).ToArray();
            string gone = there[random.Next(there.Length)];
            await CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{gone}}"}""");
            lost = [.. lost, Array.IndexOf(names, gone)];
            await CompareAsync(name, model, $"seed {seed}: without {string.Join(", ", lost)}");
            // Written once more while it is missing.
            foreach (string? failure in await Task.WhenAll(writers.ConvertAll(writer => writer.RunAsync(15)))) Assert.True(failure is null, $"seed {seed}: {failure}");
            await CompareAsync(name, model, $"seed {seed}: written without {string.Join(", ", lost)}");
        }
    }

    /// <summary>Of every stripe as many strips as may be missing cannot be read, until they are written.</summary>
    private static void MakeUnreadable(MemoryDisk[] disks, int parities, Random random)
    {
        var bad = new HashSet<(int Disk, ulong Stripe)>();
        for (ulong stripe = 0; stripe < Stripes; stripe++)
            foreach (int disk in Enumerable.Range(0, disks.Length).OrderBy(_ => random.Next()).Take(parities)) bad.Add((disk, stripe));
        for (int i = 0; i < disks.Length; i++)
        {
            int disk = i;
            disks[i].Intercept = io => io.Type == BdevIoType.Read && bad.Contains((disk, io.OffsetBlocks / Strip)) ? BdevIoResult.FromNvme(2, 0x81) : null;
        }
    }

    private async Task CompareAsync(string name, byte[] model, string when)
    {
        await using var client = await OpenAsync(name, worker: 1);
        byte[] all = await client.ReadBytesAsync(0, client.Bdev.BlockCount);
        int same = all.AsSpan().CommonPrefixLength(model);
        Assert.True(same == model.Length && all.Length == model.Length, $"{when}: differs at byte {same} of {model.Length} ({all.Length}), block {same / Block}");
    }

    /// <summary>Several threads write whole stripes over each other: whoever was last, parity is that of what is there.</summary>
    [Theory]
    [InlineData("raid5f", 4)]
    [InlineData("raid6", 5)]
    public async Task Writes_over_each_other_leave_parity_that_fits(string level, int members)
    {
        var disks = await DisksAsync(members, 2, superblock: false);
        string[] names = [.. disks.Select(disk => disk.Name)];
        string name = await ArrayAsync(level, names);
        int data = members - (level == "raid6" ? 2 : 1);
        var clients = new List<BdevClient>();
        for (int worker = 0; worker < 4; worker++) clients.Add(await OpenAsync(name, worker: worker));
        for (int round = 0; round < 40; round++)
        {
            var writes = clients.Select(async (client, worker) =>
            {
                using var buffer = new TestBuffer(data * Strip * (int)Block);
                buffer.Fill((byte)(round * 4 + worker));
                return await client.WriteAsync(buffer, (ulong)(round % 2 * data * Strip), (ulong)(data * Strip));
            });
            Assert.All(await Task.WhenAll(writes), outcome => Assert.True(outcome.IsSuccess, outcome.ToString()));
            if (round % 10 < 8) continue;
            Assert.Empty(await StripesOutOfStepAsync(level, names, 2, superblock: false));
        }
    }

    [Fact]
    public async Task Raid5f_takes_whole_stripes_only()
    {
        var disks = await DisksAsync(3, 4, superblock: false);
        var client = await OpenAsync(await ArrayAsync("raid5f", disks.Select(disk => disk.Name)));
        Assert.Equal(2u * Strip, client.Bdev.WriteUnitBlocks);
        Assert.Equal(4ul * 2 * Strip, client.Bdev.BlockCount);
        using var buffer = new TestBuffer(2 * Strip * (int)Block);
        Assert.Equal(-Errno.EINVAL, (await client.WriteAsync(buffer, Strip, 2 * Strip)).Error);
        Assert.True((await client.WriteAsync(buffer, 2 * Strip, 2 * Strip)).IsSuccess);
        Assert.Equal(-Errno.ENOTSUP, (await client.UnmapAsync(0, 2 * Strip)).Error);
        Assert.True((await client.FlushAsync(0, client.Bdev.BlockCount)).IsSuccess);
    }

    [Fact]
    public async Task With_too_many_lost_it_is_an_error_and_never_other_data()
    {
        var disks = await DisksAsync(4, 4, superblock: true);
        var client = await OpenAsync(await ArrayAsync("raid6", disks.Select(disk => disk.Name), superblock: true), closeWhenRemoved: true);
        await client.WriteBytesAsync(0, RandomBytes(new Random(1), Block * 16));
        foreach (var disk in disks.Take(3)) disk.Intercept = static _ => BdevIoResult.Of(BdevIoStatus.Failed);
        using var buffer = new TestBuffer(16 * (int)Block);
        Assert.False((await client.ReadAsync(buffer, 0, 16)).IsSuccess);
        Assert.False((await client.WriteAsync(buffer, 0, 16)).IsSuccess);
        Assert.False((await client.ReadAsync(buffer, 0, 16)).IsSuccess);
    }

    /// <summary>Random reads and writes of blocks that no other writer has; strips and stripes are shared.</summary>
    private sealed class Writer(BdevClient client, byte[] model, int index, int count, int run, int seed)
    {
        private readonly Random _random = new(seed);

        public async Task<string?> RunAsync(int steps)
        {
            int runs = model.Length / (int)Block / run;
            for (int i = 0; i < steps; i++)
            {
                int mine = _random.Next(runs / count) * count + index;
                int from = run > 3 ? 0 : _random.Next(run), blocks = run > 3 ? run : 1 + _random.Next(run - from);
                if (_random.Next(3) == 0)
                {
                    // Any part of what is its own.
                    from = _random.Next(run);
                    blocks = 1 + _random.Next(run - from);
                    using var read = new TestBuffer(TestBuffer.OddSplit(_random, blocks * (int)Block, _random.Next(1, 5)));
                    read.Fill(0x5C);
                    var outcome = await client.ReadAsync(read, (ulong)(mine * run + from), (ulong)blocks);
                    if (!outcome.IsSuccess) return $"writer {index}, step {i}: a read of {blocks} blocks at {mine * run + from}: {outcome}";
                    if (!read.ToArray().AsSpan().SequenceEqual(Part(mine * run + from, blocks))) return $"writer {index}, step {i}: {blocks} blocks at {mine * run + from} are not what was written";
                    continue;
                }
                byte[] data = RandomBytes(_random, (ulong)blocks * Block);
                using var buffer = new TestBuffer(TestBuffer.OddSplit(_random, data.Length, _random.Next(1, 6)), _random.Next(3) == 0 ? _random.Next(1, 64) : 0);
                buffer.Set(data);
                var written = await client.WriteAsync(buffer, (ulong)(mine * run + from), (ulong)blocks);
                if (!written.IsSuccess) return $"writer {index}, step {i}: a write of {blocks} blocks at {mine * run + from}: {written}";
                data.CopyTo(Part(mine * run + from, blocks));
            }
            return null;
        }

        private Span<byte> Part(int block, int blocks) => model.AsSpan(block * (int)Block, blocks * (int)Block);
    }
}
