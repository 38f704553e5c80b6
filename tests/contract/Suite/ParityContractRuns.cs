using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Suite;

/// <summary>Two parities, written in any blocks. (raid5f takes whole stripes only, which the suite does not write; it has tests of its own.)</summary>
public sealed class Raid6_on_malloc(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await Subjects.RaidAsync(Host, "raid6", 4, false, await MallocsAsync(4, Blocks / 2));
}

/// <summary>Two parities, of which a member is gone.</summary>
public sealed class Raid6_without_one(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync()
    {
        var members = await MallocsAsync(6, Blocks / 4);
        var raid = await Subjects.RaidAsync(Host, "raid6", 4, false, members);
        await Host.Modules.Raid.CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{members[2].Name}}"}""");
        return raid;
    }
}

/// <summary>Two parities, of which two members are gone.</summary>
public sealed class Raid6_without_two(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync()
    {
        var members = await MallocsAsync(4, Blocks / 2);
        var raid = await Subjects.RaidAsync(Host, "raid6", 4, false, members);
        foreach (int gone in new[] { 0, 2 }) await Host.Modules.Raid.CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{members[gone].Name}}"}""");
        return raid;
    }
}
/// <summary>Two parities with superblocks on files, which come back after a restart.</summary>
public sealed class Raid6_on_aio(ContractHost host) : RaidContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await OnFilesAsync("raid6", 16, 4, Blocks / 2) with { GrowAsync = null };
}

