using Spindle.Bdevs;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Delay;

/// <summary>The parameters of <c>bdev_delay_create</c>. Latencies in µs.</summary>
[RpcObject]
public sealed class DelayCreateParameters
{
    /// <summary>The name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name to use")]
    public string Name { get; set; } = "";

    /// <summary>The bdev below, which may appear later.</summary>
    [RpcMember(Required = true, Summary = "Base bdev name; it may appear later")]
    public string BaseBdevName { get; set; } = "";

    /// <summary>Of 99 in 100 reads.</summary>
    [RpcMember(Required = true, Summary = "Latency of 99 in 100 reads, in microseconds")]
    public ulong AvgReadLatency { get; set; }

    /// <summary>Of 1 in 100 reads.</summary>
    [RpcMember(Required = true, Summary = "Latency of 1 in 100 reads, in microseconds")]
    public ulong P99ReadLatency { get; set; }

    /// <summary>Of 99 in 100 writes.</summary>
    [RpcMember(Required = true, Summary = "Latency of 99 in 100 writes, in microseconds")]
    public ulong AvgWriteLatency { get; set; }

    /// <summary>Of 1 in 100 writes.</summary>
    [RpcMember(Required = true, Summary = "Latency of 1 in 100 writes, in microseconds")]
    public ulong P99WriteLatency { get; set; }

    /// <summary>Identity; derived from the base's when absent.</summary>
    [RpcMember(Summary = "UUID of the new bdev; derived from the base bdev's when absent")]
    public Guid? Uuid { get; set; }
}

/// <summary>The parameters of <c>bdev_delay_delete</c>.</summary>
[RpcObject]
public sealed class DelayDeleteParameters
{
    /// <summary>The bdev's name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name")]
    public string Name { get; set; } = "";
}

/// <summary>The parameters of <c>bdev_delay_update_latency</c>.</summary>
[RpcObject]
public sealed class DelayUpdateParameters
{
    /// <summary>The bdev's name.</summary>
    [RpcMember(Required = true, Summary = "Name of the delay bdev")]
    public string DelayBdevName { get; set; } = "";

    /// <summary>Which latency.</summary>
    [RpcMember(Required = true, Summary = "One of avg_read, p99_read, avg_write, p99_write")]
    public string LatencyType { get; set; } = "";

    /// <summary>The new value, µs.</summary>
    [RpcMember(Required = true, Summary = "The new latency in microseconds")]
    public ulong LatencyUs { get; set; }
}

/// <summary>The module's RPC methods.</summary>
public sealed class DelayRpc(VirtualBdevs<DelayAssociation> delays, IBdevRegistry bdevs)
{
    /// <summary>Puts a bdev on another one, now or when that one appears, and returns its name.</summary>
    /// <exception cref="SpindleException">EEXIST: the name is taken. EPERM: the base is claimed. EINVAL: a name is empty, or a latency does not fit.</exception>
    [RpcMethod("bdev_delay_create", Summary = "Create a bdev that completes the reads and writes of another one late; returns its name.")]
    public string Create(DelayCreateParameters parameters)
    {
        string name = parameters.Name;
        if (name.Length == 0) throw Invalid("name is empty.");
        if (parameters.BaseBdevName.Length == 0) throw Invalid("base_bdev_name is empty.");
        Check("avg_read_latency", parameters.AvgReadLatency);
        Check("p99_read_latency", parameters.P99ReadLatency);
        Check("avg_write_latency", parameters.AvgWriteLatency);
        Check("p99_write_latency", parameters.P99WriteLatency);
        if (parameters.P99ReadLatency < parameters.AvgReadLatency) throw Invalid("p99_read_latency is below avg_read_latency.");
        if (parameters.P99WriteLatency < parameters.AvgWriteLatency) throw Invalid("p99_write_latency is below avg_write_latency.");
        if (delays.All.Any(d => d.Name == name) || bdevs.Find(name) is not null)
            throw new SpindleException(Errno.EEXIST, $"Bdev name '{name}' is taken: choose another name.");
        delays.Add(new DelayAssociation(parameters.BaseBdevName, name, parameters.Uuid ?? Guid.Empty, new DelayLatencies
        {
            [DelayKind.AverageRead] = parameters.AvgReadLatency,
            [DelayKind.P99Read] = parameters.P99ReadLatency,
            [DelayKind.AverageWrite] = parameters.AvgWriteLatency,
            [DelayKind.P99Write] = parameters.P99WriteLatency,
        }));
        return name;
    }

    /// <summary>Deletes one, or forgets one that waits for its base.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev.</exception>
    [RpcMethod("bdev_delay_delete", Summary = "Delete a delay bdev.")]
    public async Task<bool> DeleteAsync(DelayDeleteParameters parameters)
    {
        await delays.DeleteAsync(Find(parameters.Name) ?? throw new SpindleException(Errno.ENODEV, $"There is no delay bdev '{parameters.Name}'."));
        return true;
    }

    /// <summary>Changes a latency for what the base completes from now on.</summary>
    /// <exception cref="RpcException">Invalid parameters, with SPDK's words.</exception>
    [RpcMethod("bdev_delay_update_latency", Summary = "Change a latency of a delay bdev.")]
    public bool UpdateLatency(DelayUpdateParameters parameters)
    {
        DelayKind kind = parameters.LatencyType switch
        {
            "avg_read" => DelayKind.AverageRead,
            "p99_read" => DelayKind.P99Read,
            "avg_write" => DelayKind.AverageWrite,
            "p99_write" => DelayKind.P99Write,
            _ => throw new RpcException(RpcErrorCode.InvalidParams, "Please specify a valid latency type. One of: avg_read, p99_read, avg_write, p99_write."),
        };
        var delay = Find(parameters.DelayBdevName) ??
            throw new RpcException(RpcErrorCode.InvalidParams, $"The requested bdev does not exist. There is no delay bdev '{parameters.DelayBdevName}'.");
        Check("latency_us", parameters.LatencyUs);
        delay.Latencies[kind] = parameters.LatencyUs;
        return true;
    }

    private DelayAssociation? Find(string name) => delays.All.FirstOrDefault(d => d.Name == name) ??
        (bdevs.Find(name) is DelayBdev bdev ? delays.All.FirstOrDefault(d => d.Bdevs.Contains(bdev)) : null);

    private static void Check(string member, ulong microseconds)
    {
        if (microseconds > DelayLatencies.Longest) throw Invalid($"{member} is above {DelayLatencies.Longest} (a day).");
    }

    private static SpindleException Invalid(string what) => new(Errno.EINVAL, what);
}
