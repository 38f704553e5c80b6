using Spindle.Rpc;

namespace Spindle.Bdev.Raid.Scrub;

/// <summary>The parameters of <c>bdev_raid_scrub_start</c>.</summary>
[RpcObject]
public sealed class ScrubStartParameters
{
    /// <summary>The array.</summary>
    [RpcMember(Required = true, Summary = "RAID bdev name")]
    public string Name { get; set; } = "";

    /// <summary>Whether what differs is made again.</summary>
    [RpcMember(Summary = "Make what is redundant again from the data where it differs")]
    public bool Repair { get; set; }
}

/// <summary>The parameters of methods that take an array's name.</summary>
[RpcObject]
public sealed class ArrayNameParameters
{
    /// <summary>The array.</summary>
    [RpcMember(Required = true, Summary = "RAID bdev name")]
    public string Name { get; set; } = "";
}

/// <summary>The parameters of <c>bdev_raid_add_spare</c> and <c>bdev_raid_remove_spare</c>.</summary>
[RpcObject]
public sealed class SpareParameters
{
    /// <summary>The array.</summary>
    [RpcMember(Required = true, Summary = "RAID bdev name")]
    public string RaidBdev { get; set; } = "";

    /// <summary>The spare.</summary>
    [RpcMember(Required = true, Summary = "Base bdev name")]
    public string BaseBdev { get; set; } = "";
}
