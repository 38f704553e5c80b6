using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.ZoneBlock;

/// <summary>The parameters of <c>bdev_zone_block_create</c>.</summary>
[RpcObject]
public sealed class ZoneBlockCreateParameters
{
    /// <summary>The name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name to use")]
    public string Name { get; set; } = "";

    /// <summary>The bdev below, which may appear later.</summary>
    [RpcMember(Required = true, Summary = "Base bdev name; it may appear later")]
    public string BaseBdev { get; set; } = "";

    /// <summary>Blocks of a zone that can be written.</summary>
    [RpcMember(Required = true, Summary = "Blocks of a zone that can be written; zones start at multiples of the next power of two")]
    public ulong ZoneCapacity { get; set; }

    /// <summary>What hosts are told.</summary>
    [RpcMember(Required = true, Summary = "Number of open zones for the best write speed, as hosts are told")]
    public ulong OptimalOpenZones { get; set; }
}

/// <summary>The parameters of <c>bdev_zone_block_delete</c>.</summary>
[RpcObject]
public sealed class ZoneBlockDeleteParameters
{
    /// <summary>The bdev's name.</summary>
    [RpcMember(Required = true, Summary = "Zone block bdev name")]
    public string Name { get; set; } = "";
}

/// <summary>The module's RPC methods.</summary>
public sealed class ZoneBlockRpc(VirtualBdevs<ZoneBlockAssociation> all, IModuleContext context)
{
    private readonly ILogger _log = context.Logging.CreateLogger(context.ModuleName);

    /// <summary>Puts a zoned bdev on another one, now or when that one appears, and returns its name.</summary>
    /// <exception cref="SpindleException">EEXIST: the name is taken, or the base is zoned or has one already. EPERM: the base is claimed. EINVAL: a parameter does not fit.</exception>
    [RpcMethod("bdev_zone_block_create", Summary = "Create a zoned bdev on one that is not zoned; returns its name.")]
    public string Create(ZoneBlockCreateParameters parameters)
    {
        string name = parameters.Name;
        if (name.Length == 0) throw Invalid("name is empty.");
        if (parameters.BaseBdev.Length == 0) throw Invalid("base_bdev is empty.");
        if (parameters.ZoneCapacity is 0 or > ZoneTable.LargestCapacity) throw Invalid($"zone_capacity is {parameters.ZoneCapacity}; it must be 1 to {ZoneTable.LargestCapacity}.");
        if (parameters.OptimalOpenZones is 0 or > uint.MaxValue) throw Invalid($"optimal_open_zones is {parameters.OptimalOpenZones}; it must be 1 to {uint.MaxValue}.");
        if (all.All.Any(other => other.Name == name) || context.Bdevs.Find(name) is not null)
            throw new SpindleException(Errno.EEXIST, $"Bdev name '{name}' is taken: choose another name.");
        if (all.All.FirstOrDefault(other => other.BaseName == parameters.BaseBdev) is { } same)
            throw new SpindleException(Errno.EEXIST, $"base_bdev '{parameters.BaseBdev}' is the base of '{same.Name}' already: choose another one.");
        all.Add(new ZoneBlockAssociation(parameters.BaseBdev, name, parameters.ZoneCapacity, (uint)parameters.OptimalOpenZones, _log));
        return name;
    }

    /// <summary>Deletes one, or forgets one that waits for its base.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev.</exception>
    [RpcMethod("bdev_zone_block_delete", Summary = "Delete a zone block bdev.")]
    public async Task<bool> DeleteAsync(ZoneBlockDeleteParameters parameters)
    {
        var found = all.All.FirstOrDefault(one => one.Name == parameters.Name) ??
            (context.Bdevs.Find(parameters.Name) is ZoneBlockBdev bdev ? all.All.FirstOrDefault(one => one.Bdevs.Contains(bdev)) : null);
        await all.DeleteAsync(found ?? throw new SpindleException(Errno.ENODEV, $"There is no zone block bdev '{parameters.Name}'."));
        return true;
    }

    private static SpindleException Invalid(string what) => new(Errno.EINVAL, what);
}
