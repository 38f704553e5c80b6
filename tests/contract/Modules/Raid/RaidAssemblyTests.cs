using Spindle.Bdev.Raid;
using Spindle.ContractTests.Blobstore;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Raid;

/// <summary>Arrays are found on disks, whatever the order in which these come; what is stale or strange has no part in them.</summary>
public sealed class RaidAssemblyTests(ContractHost host) : RaidTest(host)
{
    private static readonly int[][] s_orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

    public static TheoryData<string, int, int> Images => new() { { "raid0", 2, 5 }, { "raid1", 2, 6 }, { "concat", 3, 7 } };

    [Theory]
    [MemberData(nameof(Images))]
    public async Task What_SPDK_wrote_is_there_byte_for_byte(string level, int members, int pattern)
    {
        byte[] expected = StoredImage.Pattern(pattern, level == "raid0" ? 512 : level == "raid1" ? 256 : 768);
        foreach (int[] order in s_orders.Where(order => order.Count(i => i < members) == members).Take(3))
        {
            var disks = new List<MemoryDisk>();
            foreach (int i in order.Where(i => i < members))
            {
                var disk = await FilledAsync(StoredImage.Embedded($"{level}_{i}.img.gz"), Guid.Parse($"00000000-0000-4000-8000-0000000000{pattern}{i}"));
                disks.Add(disk);
                await AppearAsync(disk);
            }
            var info = (await InfoAsync("R"))!;
            Assert.Equal(("online", level, $"00000000-0000-4000-8000-00000000{pattern}000"), ((string)info["state"]!, (string)info["raid_level"]!, (string)info["uuid"]!));
            Assert.Equal(expected, await ReadAllAsync("R"));
            await DeleteAsync("R");
            foreach (var disk in disks) await VanishAsync(disk);
        }
    }

    [Fact]
    public async Task A_stale_member_is_never_served_in_whatever_order_they_come()
    {
        foreach (int[] order in s_orders)
        {
            var disks = await DisksAsync(3);
            string name = await ArrayAsync("raid1", disks);
            await WriteAsync(name, 0, RandomBytes(new Random(1), 2048 * Block));
            await VanishAsync(disks[0]);
            byte[] data = RandomBytes(new Random(2), 2048 * Block);
            await WriteAsync(name, 0, data);
            await DeleteAsync(name);
            await VanishAsync(disks[1]);
            await VanishAsync(disks[2]);
            foreach (int i in order)
            {
                var disk = disks[i] = disks[i].Renamed(ContractHost.NewName(ModuleHarness.Examined), disks[i].Uuid);
                await AppearAsync(disk);
                if (Host.Registry.Find(name) is not null) Assert.Equal(data, await ReadAllAsync(name));
            }
            // What was stale is rebuilt, since it is there.
            await UntilAsync(async () => await StateAsync(name) == "online", "it is online");
            await WholeAsync(name);
            foreach (var disk in disks) Assert.Equal(data, await RawAsync(disk));
            await DeleteAsync(name);
            foreach (var disk in disks) await VanishAsync(disk);
        }
    }

    [Fact]
    public async Task A_stale_member_alone_does_not_come_up()
    {
        var disks = await DisksAsync(2);
        string name = await ArrayAsync("raid1", disks);
        await VanishAsync(disks[0]);
        await WriteAsync(name, 0, RandomBytes(new Random(2), 8 * Block));
        await DeleteAsync(name);
        await VanishAsync(disks[1]);
        await AppearAsync(disks[0].Renamed(ContractHost.NewName(ModuleHarness.Examined), disks[0].Uuid));
        Assert.Equal("configuring", await StateAsync(name));
        Assert.Null(Host.Registry.Find(name));
        await DeleteAsync(name);
    }

    [Fact]
    public async Task A_copy_of_a_member_is_refused_and_the_array_stays_as_it_is()
    {
        var disks = await DisksAsync(2);
        string name = await ArrayAsync("raid1", disks);
        byte[] data = RandomBytes(new Random(2), 2048 * Block);
        await WriteAsync(name, 0, data);
        var copy = await MovedAsync(disks[0], Guid.NewGuid());
        await AppearAsync(copy);
        Assert.Null(await Host.OnAppAsync(() => Task.FromResult(Arrays.FindMember(copy))));
        Assert.Equal(2, (int)(await InfoAsync(name))!["num_base_bdevs_discovered"]!);
        Assert.Equal(data, await ReadAllAsync(name));
        // Put in by hand, it says which disk and why.
        await RemoveAsync(disks[1]);
        var refused = await FailsAsync("bdev_raid_add_base_bdev", $$"""{"raid_bdev":"{{name}}","base_bdev":"{{copy.Name}}"}""");
        Assert.Contains(copy.Name, refused.Message);
        Assert.Contains("does not name its UUID", refused.Message);
    }

    [Fact]
    public async Task Members_of_two_arrays_are_told_apart_and_one_that_shrank_is_refused()
    {
        var disks = await DisksAsync(4);
        string one = await ArrayAsync("raid1", disks[..2]), two = await ArrayAsync("raid0", disks[2..], stripKib: 4);
        byte[] first = RandomBytes(new Random(1), 2048 * Block), second = RandomBytes(new Random(2), 4096 * Block);
        await WriteAsync(one, 0, first);
        await WriteAsync(two, 0, second);
        await DeleteAsync(one);
        await DeleteAsync(two);
        foreach (var disk in disks) await VanishAsync(disk);
        foreach (int i in new[] { 2, 0, 3, 1 }) await AppearAsync(disks[i] = disks[i].Renamed(ContractHost.NewName(ModuleHarness.Examined), disks[i].Uuid));
        Assert.Equal(first, await ReadAllAsync(one));
        Assert.Equal(second, await ReadAllAsync(two));
        await DeleteAsync(two);
        byte[] bytes = await RawAsync(disks[2], 0);
        foreach (var disk in disks[2..]) await VanishAsync(disk);
        await AppearAsync(await FilledAsync(bytes[..^512], disks[2].Uuid));
        await AppearAsync(disks[3].Renamed(ContractHost.NewName(ModuleHarness.Examined), disks[3].Uuid));
        Assert.Equal("configuring", await StateAsync(two));
        await DeleteAsync(two);
    }

    [Fact]
    public async Task Members_that_were_used_apart_do_not_come_together()
    {
        var disks = await DisksAsync(2);
        string name = await ArrayAsync("raid1", disks);
        byte[] before0 = await RawAsync(disks[0], 0), before1 = await RawAsync(disks[1], 0);
        await DeleteAsync(name);
        foreach (var disk in disks) await VanishAsync(disk);
        // Each says that the other one failed, with the same number.
        for (int i = 0; i < 2; i++)
        {
            byte[] bytes = i == 0 ? before0 : before1;
            var super = RaidSuperblock.Parse(bytes.AsSpan(0, RaidSuperblock.MostBytes));
            var other = super.Member(1 - i);
            other.State = SuperblockMemberState.Failed;
            super.Seal().CopyTo(bytes);
            await AppearAsync(await FilledAsync(bytes, disks[i].Uuid));
            if (i == 0) await WriteAsync(name, 0, RandomBytes(new Random(9), 8 * Block));
        }
        // The first is online with a higher number by then: the second's is old, and it is rebuilt.
        await WholeAsync(name);
        Assert.Equal(RandomBytes(new Random(9), 8 * Block), (await ReadAllAsync(name))[..(8 * (int)Block)]);
    }

    [Fact]
    public async Task A_superblock_that_was_changed_at_random_is_refused_and_nobody_is_disturbed()
    {
        var disks = await DisksAsync(4);
        string name = await ArrayAsync("raid1", disks[..2]), whole = await ArrayAsync("raid1", disks[2..]);
        byte[] data = RandomBytes(new Random(1), 2048 * Block);
        await WriteAsync(whole, 0, data);
        byte[] bytes = await RawAsync(disks[0], 0);
        await DeleteAsync(name);
        foreach (var disk in disks[..2]) await VanishAsync(disk);
        int seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int round = 0; round < 150; round++)
        {
            byte[] changed = bytes.ToArray();
            var super = RaidSuperblock.Parse(changed.AsSpan(0, RaidSuperblock.MostBytes));
            int length = super.Length;
            // Its sum is right in most rounds: who writes it may write anything.
            for (int i = random.Next(1, 4); i > 0; i--) changed[random.Next(round % 5 == 0 ? 8 : 20, length)] = (byte)random.Next(256);
            if (round % 5 != 0) Reseal(changed, length);
            var disk = await FilledAsync(changed, disks[0].Uuid);
            await AppearAsync(disk);
            Assert.Equal("online", await StateAsync(whole));
            foreach (var array in await Host.OnAppAsync(() => Task.FromResult(Arrays.All.Where(array => array.Name != whole).ToArray())))
                await Host.OnAppAsync(async () => await Arrays.DeleteAsync(array));
            await VanishAsync(disk);
        }
        Assert.Equal(data, await ReadAllAsync(whole));
    }

    private static unsafe void Reseal(byte[] bytes, int length)
    {
        bytes.AsSpan(16, 4).Clear();
        fixed (byte* at = bytes) System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), ~Spindle.Dif.Crc.Castagnoli(uint.MaxValue, at, (nuint)length));
    }
}
