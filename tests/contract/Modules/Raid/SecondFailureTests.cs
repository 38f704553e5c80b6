using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Raid;

/// <summary>A member fails a write while something else about the array's members is under way: the write ends all the same.</summary>
public sealed class SecondFailureTests(ContractHost host) : RaidTest(host)
{
    private static readonly BdevIoResult s_failed = BdevIoResult.FromErrno(Errno.EIO);

    /// <summary>While a failed member leaves, which takes until it has no more I/O and nor has the array, another one fails a write.</summary>
    [Theory]
    [InlineData("raid1", 3, true)]
    [InlineData("raid1", 3, false)]
    [InlineData("raid6", 4, true)]
    [InlineData("raid6", 4, false)]
    [InlineData("raid6", 7, true)]
    public async Task A_member_fails_while_another_one_leaves(string level, int members, bool superblock)
    {
        var disks = await DisksAsync(members);
        string name = await ArrayAsync(level, disks, superblock, level == "raid1" ? 0 : 4);
        var client = await OpenAsync(name);
        byte[] data = RandomBytes(new Random(1), client.Bdev.BlockCount * Block);
        await client.WriteBytesAsync(0, data);
        var resets = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var isReset = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        disks[0].Hold = io =>
        {
            if (io.Type != BdevIoType.Reset) return null;
            isReset.TrySetResult();
            return resets.Task;
        };
        disks[0].Intercept = Fails;
        await client.WriteBytesAsync(0, data);
        await isReset.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        var isHit = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        disks[1].Intercept = io =>
        {
            if (io.Type == BdevIoType.Write) isHit.TrySetResult();
            return Fails(io);
        };
        var write = client.WriteBytesAsync(0, data);
        await isHit.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        resets.SetResult();
        await write;
        await UntilAsync(async () => (int)(await InfoAsync(name))!["num_base_bdevs_discovered"]! == members - 2, "both are out");
        Assert.Equal(data, await ReadAllAsync(name));
        foreach (var disk in disks[..2]) (disk.Intercept, disk.Hold) = (null, null);
        // Both slots are free again.
        foreach (var disk in disks[..2])
        {
            // It still has the superblock of before.
            await VanishAsync(disk);
            await AddAsync(name, await NewAsync());
            await WholeButAsync(name, disk == disks[0] ? members - 1 : members);
        }
        Assert.Equal(data, await ReadAllAsync(name));
    }

    /// <summary>The array ends while a write is under way that a member fails then.</summary>
    [Theory]
    [InlineData("raid1", 2, true)]
    [InlineData("raid1", 2, false)]
    [InlineData("raid5f", 3, true)]
    [InlineData("raid5f", 3, false)]
    public async Task A_member_fails_while_the_array_goes(string level, int members, bool isDeleted)
    {
        var disks = await DisksAsync(members);
        string name = await ArrayAsync(level, disks, superblock: true, level == "raid1" ? 0 : 4);
        // It cannot do without any other.
        await RemoveAsync(disks[0]);
        var client = await OpenAsync(name, closeWhenRemoved: true);
        byte[] data = RandomBytes(new Random(1), 64 * Block);
        await client.WriteBytesAsync(0, data);
        var fails = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var isHit = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        disks[1].Hold = io =>
        {
            if (io.Type != BdevIoType.Write || io.OffsetBlocks < DataOffset) return null;
            isHit.TrySetResult();
            return fails.Task;
        };
        disks[1].Intercept = static io => io.OffsetBlocks >= DataOffset ? Fails(io) : null;
        using var buffer = new TestBuffer(data.Length);
        buffer.Set(data);
        var write = client.WriteAsync(buffer, 0, 64);
        await isHit.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        var goes = isDeleted ? DeleteAsync(name) : VanishAsync(disks[1]);
        await UntilAsync(async () => await StateAsync(name) != "online", "the array goes");
        fails.SetResult();
        Assert.False((await write).IsSuccess);
        await goes;
        await client.Closed.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        (disks[1].Intercept, disks[1].Hold) = (null, null);
        if (!isDeleted && await StateAsync(name) != "gone") await DeleteAsync(name);
    }

    private static BdevIoResult? Fails(BdevIo io) => io.Type == BdevIoType.Write ? s_failed : null;

    private async Task<MemoryDisk> NewAsync()
    {
        var disk = NewDisk();
        await AppearAsync(disk);
        return disk;
    }

    private Task WholeButAsync(string name, int operational) => UntilAsync(async () =>
    {
        var info = (await InfoAsync(name))!;
        return info["process"] is null && (int)info["num_base_bdevs_operational"]! == operational;
    }, $"{operational} members to be whole");
}
