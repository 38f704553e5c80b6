using Spindle.Rpc;

namespace Spindle.Bdev.Raid;

/// <summary>The parameters of <c>bdev_raid_create</c>.</summary>
[RpcObject]
public sealed class RaidCreateParameters
{
    /// <summary>The name.</summary>
    [RpcMember(Required = true, Summary = "RAID bdev name")]
    public string Name { get; set; } = "";

    /// <summary>KiB.</summary>
    [RpcMember(Summary = "Strip size in KiB, a power of two; none for raid1")]
    public uint StripSizeKb { get; set; }

    /// <summary>The level.</summary>
    [RpcMember(Required = true, Summary = "RAID level")]
    public string RaidLevel { get; set; } = "";

    /// <summary>The members, which may appear later.</summary>
    [RpcMember(Required = true, Summary = "Base bdevs in the order of their slots; they may appear later")]
    public IReadOnlyList<string> BaseBdevs { get; set; } = [];

    /// <summary>The UUID.</summary>
    [RpcMember(Summary = "UUID for this RAID bdev; made up when absent")]
    public Guid? Uuid { get; set; }

    /// <summary>Whether the members are to know of the array.</summary>
    [RpcMember(Summary = "If set, information about the RAID bdev is stored in a superblock on each base bdev, from which it is assembled")]
    public bool Superblock { get; set; }
}

/// <summary>The parameters of <c>bdev_raid_get_bdevs</c>.</summary>
[RpcObject]
public sealed class RaidGetParameters
{
    /// <summary>Which.</summary>
    [RpcMember(Required = true, Summary = "all or online or configuring or offline")]
    public string Category { get; set; } = "";
}

/// <summary>The parameters of <c>bdev_raid_delete</c>.</summary>
[RpcObject]
public sealed class RaidDeleteParameters
{
    /// <summary>The array.</summary>
    [RpcMember(Required = true, Summary = "RAID bdev name")]
    public string Name { get; set; } = "";
}

/// <summary>The parameters of <c>bdev_raid_add_base_bdev</c>.</summary>
[RpcObject]
public sealed class RaidAddParameters
{
    /// <summary>The array.</summary>
    [RpcMember(Required = true, Summary = "RAID bdev name")]
    public string RaidBdev { get; set; } = "";

    /// <summary>The bdev.</summary>
    [RpcMember(Required = true, Summary = "Base bdev name")]
    public string BaseBdev { get; set; } = "";
}

/// <summary>The parameters of <c>bdev_raid_remove_base_bdev</c>.</summary>
[RpcObject]
public sealed class RaidRemoveParameters
{
    /// <summary>The bdev.</summary>
    [RpcMember(Required = true, Summary = "Base bdev name in RAID")]
    public string Name { get; set; } = "";
}

/// <summary>The parameters of <c>bdev_raid_set_options</c>.</summary>
[RpcObject]
public sealed class RaidOptionsParameters
{
    /// <summary>KiB.</summary>
    [RpcMember(Summary = "Background process (e.g. rebuild) window size in KiB, above 0")]
    public uint? ProcessWindowSizeKb { get; set; }

    /// <summary>MiB a second.</summary>
    [RpcMember(Summary = "Background process (e.g. rebuild) maximum bandwidth in MiB/s; 0: no limit")]
    public uint? ProcessMaxBandwidthMbSec { get; set; }
}
