using Spindle.Rpc;

namespace Spindle.Bdev.Raid;

/// <summary>The RPC methods of arrays.</summary>
public sealed class RaidRpc(RaidArrays arrays)
{
    private const string Undecodable = "spdk_json_decode_object failed";

    /// <summary>Makes an array.</summary>
    /// <exception cref="RpcException">A negated error number, with SPDK's words and the reason.</exception>
    [RpcMethod("bdev_raid_create", Summary = "Make a RAID bdev of other bdevs.", ParameterErrorCode = RpcErrorCode.ParseError, ParameterErrorText = Undecodable)]
    public async Task<bool> CreateAsync(RaidCreateParameters parameters)
    {
        var level = RaidLevels.Find(parameters.RaidLevel) ?? throw new RpcException(RpcErrorCode.ParseError,
            $"{Undecodable}: raid_level is '{parameters.RaidLevel}'; it must be one of {string.Join(", ", RaidLevels.All.Select(level => level.Name))}.");
        if (parameters.BaseBdevs.Count > 255) throw new RpcException(RpcErrorCode.ParseError, $"{Undecodable}: base_bdevs has {parameters.BaseBdevs.Count} members; 255 are the most.");
        if (parameters.BaseBdevs.Any(name => name.Length == 0)) throw new RpcException(-Errno.EINVAL, $"The base bdev name cannot be empty: {Errno.Message(Errno.EINVAL)}");
        try
        {
            await arrays.CreateAsync(parameters.Name, level, parameters.StripSizeKb, parameters.BaseBdevs, parameters.Superblock, parameters.Uuid ?? Guid.Empty);
        }
        catch (SpindleException e)
        {
            throw new RpcException(-e.Errno, $"Failed to create RAID bdev {parameters.Name}: {Errno.Message(e.Errno)}: {e.Message}");
        }
        return true;
    }

    /// <summary>Shows arrays.</summary>
    /// <exception cref="RpcException">The category is none.</exception>
    [RpcMethod("bdev_raid_get_bdevs", Summary = "Show the RAID bdevs that are online, configuring, offline, or all.", ParameterErrorCode = RpcErrorCode.ParseError, ParameterErrorText = Undecodable)]
    public IRpcResult Get(RaidGetParameters parameters)
    {
        string category = parameters.Category.ToLowerInvariant();
        if (parameters.Category != "all" && category is not ("online" or "configuring" or "offline"))
            throw new RpcException(-Errno.EINVAL, $"{Errno.Message(Errno.EINVAL)}: category is '{parameters.Category}'; it must be all, online, configuring or offline.");
        return new RaidList([.. arrays.All.Where(array => category == "all" || RaidArray.NameOf(array.State) == category)]);
    }

    /// <summary>Deletes an array.</summary>
    /// <exception cref="RpcException">There is no such array, or it is being deleted.</exception>
    [RpcMethod("bdev_raid_delete", Summary = "Delete a RAID bdev; its base bdevs are free then, and keep what is on them.", ParameterErrorCode = RpcErrorCode.ParseError, ParameterErrorText = Undecodable)]
    public async Task<bool> DeleteAsync(RaidDeleteParameters parameters)
    {
        var array = arrays.Find(parameters.Name) ?? throw new RpcException(-Errno.ENODEV, $"raid bdev {parameters.Name} not found");
        try
        {
            await arrays.DeleteAsync(array);
        }
        catch (SpindleException e)
        {
            throw new RpcException(RpcErrorCode.InternalError, $"{Errno.Message(e.Errno)}: {e.Message}");
        }
        return true;
    }

    /// <summary>Brings an array up without the members that it waits for.</summary>
    /// <exception cref="RpcException">There is no such array, or it cannot be without them.</exception>
    [RpcMethod("bdev_raid_start_degraded", Summary = "Bring up a RAID bdev with superblock without the base bdevs that it waits for, which are missing from then on (not in SPDK).",
        ParameterErrorCode = RpcErrorCode.ParseError, ParameterErrorText = Undecodable)]
    public async Task<bool> StartDegradedAsync(RaidDeleteParameters parameters)
    {
        var array = arrays.Find(parameters.Name) ?? throw new RpcException(-Errno.ENODEV, $"raid bdev {parameters.Name} not found");
        try
        {
            await arrays.StartDegradedAsync(array);
        }
        catch (SpindleException e)
        {
            throw new RpcException(-e.Errno, $"{Errno.Message(e.Errno)}: {e.Message}");
        }
        return true;
    }

    /// <summary>Puts a bdev into an array.</summary>
    /// <exception cref="RpcException">A negated error number, with SPDK's words and the reason.</exception>
    [RpcMethod("bdev_raid_add_base_bdev", Summary = "Put a base bdev into an empty slot of a RAID bdev, which rebuilds it.", ParameterErrorText = Undecodable)]
    public async Task<bool> AddAsync(RaidAddParameters parameters)
    {
        var array = arrays.Find(parameters.RaidBdev) ?? throw new RpcException(-Errno.ENODEV, $"raid bdev {parameters.RaidBdev} is not found in config");
        try
        {
            await arrays.AddMemberAsync(array, parameters.BaseBdev);
        }
        catch (SpindleException e)
        {
            throw new RpcException(-e.Errno, $"Failed to add base bdev {parameters.BaseBdev} to RAID bdev {parameters.RaidBdev}: {Errno.Message(e.Errno)}: {e.Message}");
        }
        return true;
    }

    /// <summary>Takes a bdev out of its array.</summary>
    /// <exception cref="RpcException">A negated error number, with SPDK's words and the reason.</exception>
    [RpcMethod("bdev_raid_remove_base_bdev", Summary = "Take a base bdev out of its RAID bdev, which goes offline if it cannot do without.",
        ParameterErrorCode = RpcErrorCode.ParseError, ParameterErrorText = Undecodable)]
    public async Task<bool> RemoveAsync(RaidRemoveParameters parameters)
    {
        try
        {
            var bdev = arrays.Context.Bdevs.Find(parameters.Name) ?? throw new SpindleException(Errno.ENODEV, $"there is no bdev '{parameters.Name}'.");
            var (array, member) = arrays.FindMember(bdev) ?? throw new SpindleException(Errno.ENODEV, $"'{parameters.Name}' is in no RAID bdev.");
            await array.RemoveAsync(member, isFailed: false);
        }
        catch (SpindleException e)
        {
            throw new RpcException(-e.Errno, $"Failed to remove base bdev from raid bdev: {e.Message}");
        }
        return true;
    }

    /// <summary>Sets how background processes run.</summary>
    /// <exception cref="RpcException">The window is 0.</exception>
    [RpcMethod("bdev_raid_set_options", Summary = "Set how rebuilds that begin from now on run.", Phase = RpcPhase.Any, ParameterErrorCode = RpcErrorCode.ParseError, ParameterErrorText = Undecodable)]
    public bool SetOptions(RaidOptionsParameters parameters)
    {
        var options = arrays.Options;
        if (parameters.ProcessWindowSizeKb is { } window) options = options with { ProcessWindowKib = window };
        if (parameters.ProcessMaxBandwidthMbSec is { } bandwidth) options = options with { ProcessMaxBandwidthMib = bandwidth };
        if (options.ProcessWindowKib == 0) throw new RpcException(-Errno.EINVAL, $"{Errno.Message(Errno.EINVAL)}: process_window_size_kb is 0; it must be above 0.");
        arrays.Options = options;
        return true;
    }

    private sealed class RaidList(IReadOnlyList<RaidArray> all) : IRpcResult
    {
        public void Write(IRpcWriter writer)
        {
            writer.BeginArray();
            foreach (var array in all)
            {
                writer.BeginObject();
                writer.Name("name");
                writer.String(array.Name);
                array.WriteInfo(writer);
                writer.EndObject();
            }
            writer.EndArray();
        }
    }
}
