using Spindle.Bdev.Aio;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Suite;

/// <summary>Strips over four disks.</summary>
public sealed class Raid0_on_malloc(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await Subjects.RaidAsync(Host, "raid0", 4, false, await MallocsAsync(4, Blocks / 4));
}

/// <summary>Strips on a single disk, of which the end is not used.</summary>
public sealed class Raid0_of_one(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await Subjects.RaidAsync(Host, "raid0", 8, false, await MallocsAsync(1, Blocks + 15));
}

/// <summary>Strips with superblocks on files, which come back after a restart.</summary>
public sealed class Raid0_on_aio(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await OnFilesAsync("raid0", 16, 2, Blocks / 2);
}

/// <summary>Disks one behind the other.</summary>
public sealed class Concat_on_malloc(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() =>
        await Subjects.RaidAsync(Host, "concat", 4, false, [.. await MallocsAsync(1, Blocks / 4), .. await MallocsAsync(1, Blocks / 2), .. await MallocsAsync(1, Blocks / 4)]);
}

/// <summary>Two disks with the same on them.</summary>
public sealed class Raid1_on_malloc(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await Subjects.RaidAsync(Host, "raid1", 0, false, await MallocsAsync(2, Blocks));
}

/// <summary>A mirror with superblocks on files, which come back after a restart.</summary>
public sealed class Raid1_on_aio(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await OnFilesAsync("raid1", 0, 2, Blocks);
}

/// <summary>A mirror of which a member is gone.</summary>
public sealed class Raid1_degraded(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync()
    {
        var members = await MallocsAsync(3, Blocks);
        var raid = await Subjects.RaidAsync(Host, "raid1", 0, false, members);
        await Host.Modules.Raid.CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{members[1].Name}}"}""");
        return raid;
    }
}

/// <summary>A mirror of which a member is being rebuilt, slowly.</summary>
public sealed class Raid1_being_rebuilt(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync()
    {
        var members = await MallocsAsync(3, Blocks);
        var raid = await Subjects.RaidAsync(Host, "raid1", 0, false, members);
        await Host.Modules.Raid.CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{members[1].Name}}"}""");
        await Host.Modules.Raid.CallAsync("bdev_raid_set_options", """{"process_window_size_kb":4,"process_max_bandwidth_mb_sec":1}""");
        await Host.Modules.Raid.CallAsync("bdev_raid_add_base_bdev", $$"""{"raid_bdev":"{{raid.Name}}","base_bdev":"{{members[1].Name}}"}""");
        await Host.Modules.Raid.CallAsync("bdev_raid_set_options", """{"process_window_size_kb":1024,"process_max_bandwidth_mb_sec":0}""");
        return raid;
    }
}

/// <summary>A mirror of disks with metadata in buffers of their own.</summary>
public sealed class Raid1_with_metadata(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await Subjects.RaidAsync(Host, "raid1", 0, false,
        await Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 512, MdSize = 8, MdInterleave = false }),
        await Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 512, MdSize = 8, MdInterleave = false }));
}

/// <summary>Strips over mirrors.</summary>
public sealed class Raid0_on_raid1(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await Subjects.RaidAsync(Host, "raid0", 4, false,
        await Subjects.RaidAsync(Host, "raid1", 0, false, await MallocsAsync(2, Blocks / 2)),
        await Subjects.RaidAsync(Host, "raid1", 0, false, await MallocsAsync(2, Blocks / 2)));
}

/// <summary>The contract over arrays.</summary>
public abstract class RaidContract(ContractHost host) : BdevContract(host)
{
    private protected async Task<BdevSubject[]> MallocsAsync(int count, ulong blocks)
    {
        var members = new BdevSubject[count];
        for (int i = 0; i < count; i++) members[i] = await Subjects.MallocAsync(Host, new() { NumBlocks = blocks, BlockSize = 512 });
        return members;
    }

    /// <summary>An array with superblocks on files, which all go and come back.</summary>
    private protected async Task<BdevSubject> OnFilesAsync(string level, int stripKib, int count, ulong blocks)
    {
        var files = Enumerable.Range(0, count).Select(_ => new AioCreateParameters
        {
            Name = ContractHost.NewName("aio"), Filename = NewFile(AppContext.BaseDirectory, (1 << 20) + (long)blocks * 512), BlockSize = 512, Fallocate = true, Uuid = Guid.NewGuid(),
        }).ToArray();
        var members = new BdevSubject[count];
        for (int i = 0; i < count; i++) members[i] = await Subjects.AioAsync(Host, files[i]);
        var raid = await Subjects.RaidAsync(Host, level, stripKib, true, members);
        return raid with
        {
            RestartAsync = async () =>
            {
                await raid.DeleteAsync!();
                foreach (var file in files) await Host.OnAppAsync(() => Host.Modules.Aio.DeleteAsync(new AioNameParameters { Name = file.Name }));
                foreach (var file in files) await Host.OnAppAsync(() => Host.Modules.Aio.CreateAsync(file));
                await Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());
            },
        };
    }
}
