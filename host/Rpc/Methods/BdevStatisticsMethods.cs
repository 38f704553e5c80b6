using System.Diagnostics;
using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>The counters of bdevs.</summary>
internal sealed class BdevStatisticsMethods(BdevRegistry registry)
{
    const int MaxNames = 1024; // as in SPDK

    [RpcMethod("bdev_get_iostat", Summary = "The counters of all bdevs, of some, or of one for each storage thread.")]
    public async Task<IRpcResult> GetAsync(GetIostatParameters parameters)
    {
        if (parameters is { Name: not null, Names: not null })
        {
            throw new SpindleException(Errno.EINVAL, "name and names cannot both be given; use names.");
        }
        if (parameters.Names is { Count: > MaxNames })
        {
            throw new RpcException(RpcErrorCode.InternalError, $"spdk_json_decode_object failed: params.names has more than {MaxNames} elements");
        }
        var names = parameters.Name is null ? parameters.Names : [parameters.Name];
        if (parameters.PerChannel && names is not { Count: 1 })
        {
            throw new SpindleException(Errno.EINVAL, "per_channel is for one bdev; name it.");
        }
        var bdevs = names is null ? registry.All : [.. names.Select(n => BdevMethods.Find(registry, n))];
        return parameters.PerChannel ? await PerChannelAsync(bdevs[0], parameters.ResetMode) : await SumsAsync(bdevs, named: names is not null, parameters.ResetMode);
    }

    async Task<IRpcResult> SumsAsync(IReadOnlyList<Bdev> bdevs, bool named, IostatResetMode mode)
    {
        var items = new List<(string, BdevStatistics)>();
        foreach (var bdev in bdevs)
        {
            try
            {
                items.Add((bdev.Name, await registry.GetStatisticsAsync(bdev)));
                await ResetAsync(bdev, mode);
            }
            catch (SpindleException) when (!named)
            {
                // Removed meanwhile; nobody asked for this one.
            }
        }
        return new IostatResult(null, items, []);
    }

    async Task<IRpcResult> PerChannelAsync(Bdev bdev, IostatResetMode mode)
    {
        var items = (await registry.GetChannelStatisticsAsync(bdev)).Select(c => (c.Thread.Id, c.Statistics)).ToList();
        await ResetAsync(bdev, mode);
        return new IostatResult(bdev.Name, [], items);
    }

    [RpcMethod("bdev_reset_iostat", Summary = "Sets the counters of all bdevs, or of one, to zero.")]
    public async Task ResetAsync(ResetIostatParameters parameters)
    {
        var bdevs = parameters.Name is null ? registry.All : [BdevMethods.Find(registry, parameters.Name)];
        foreach (var bdev in bdevs)
        {
            try
            {
                await ResetAsync(bdev, parameters.Mode);
            }
            catch (SpindleException) when (parameters.Name is null)
            {
                // Removed meanwhile.
            }
        }
    }

    Task ResetAsync(Bdev bdev, IostatResetMode mode) => mode switch
    {
        IostatResetMode.All => registry.ResetStatisticsAsync(bdev, onlyExtremes: false),
        IostatResetMode.Maxmin => registry.ResetStatisticsAsync(bdev, onlyExtremes: true),
        _ => Task.CompletedTask,
    };
}

/// <summary>Which counters to set to zero.</summary>
internal enum IostatResetMode
{
    /// <summary>None.</summary>
    None,
    /// <summary>All.</summary>
    All,
    /// <summary>The longest and shortest times.</summary>
    Maxmin,
    /// <summary>Those of devices' errors; there are none apart from the sum, which stays.</summary>
    Error,
}

[RpcObject]
internal sealed class GetIostatParameters
{
    [RpcMember(Summary = "One bdev (deprecated: use names).")]
    public string? Name { get; init; }

    [RpcMember(Summary = "The bdevs; all when left out.")]
    public IReadOnlyList<string>? Names { get; init; }

    [RpcMember(Summary = "For each storage thread that uses the bdev; one bdev only.")]
    public bool PerChannel { get; init; }

    [RpcMember(Summary = "What to set to zero afterwards: all, maxmin, error or none.")]
    public IostatResetMode ResetMode { get; init; } = IostatResetMode.None;
}

[RpcObject]
internal sealed class ResetIostatParameters
{
    [RpcMember(Summary = "The bdev; all when left out.")]
    public string? Name { get; init; }

    [RpcMember(Summary = "What to set to zero: all, maxmin, error or none.")]
    public IostatResetMode Mode { get; init; } = IostatResetMode.All;
}

/// <summary>Counters in SPDK's form: "bdevs" with a name each, or "channels" of one bdev with a thread each.</summary>
internal sealed class IostatResult(string? name, IReadOnlyList<(string Name, BdevStatistics Statistics)> bdevs, IReadOnlyList<(ulong Thread, BdevStatistics Statistics)> channels) : IRpcResult
{
    public void Write(IRpcWriter w)
    {
        w.BeginObject();
        Number(w, "tick_rate", (ulong)Stopwatch.Frequency);
        Number(w, "ticks", (ulong)Stopwatch.GetTimestamp());
        if (name is null)
        {
            w.Name("bdevs");
            w.BeginArray();
            foreach (var (bdev, statistics) in bdevs)
            {
                w.BeginObject();
                w.Name("name");
                w.String(bdev);
                WriteCounters(w, statistics);
                w.EndObject();
            }
        }
        else
        {
            w.Name("name");
            w.String(name);
            w.Name("channels");
            w.BeginArray();
            foreach (var (thread, statistics) in channels)
            {
                w.BeginObject();
                Number(w, "thread_id", thread);
                WriteCounters(w, statistics);
                w.EndObject();
            }
        }
        w.EndArray();
        w.EndObject();
    }

    static void WriteCounters(IRpcWriter w, in BdevStatistics s)
    {
        Number(w, "bytes_read", s.BytesRead);
        Number(w, "num_read_ops", s.Reads);
        Number(w, "bytes_written", s.BytesWritten);
        Number(w, "num_write_ops", s.Writes);
        Number(w, "bytes_unmapped", s.BytesUnmapped);
        Number(w, "num_unmap_ops", s.Unmaps);
        Number(w, "bytes_copied", s.BytesCopied);
        Number(w, "num_copy_ops", s.Copies);
        Latency(w, "read", s.ReadTicks, s.MaxReadTicks, s.MinReadTicks);
        Latency(w, "write", s.WriteTicks, s.MaxWriteTicks, s.MinWriteTicks);
        Latency(w, "unmap", s.UnmapTicks, s.MaxUnmapTicks, s.MinUnmapTicks);
        Latency(w, "copy", s.CopyTicks, s.MaxCopyTicks, s.MinCopyTicks);
        w.Name("io_error");
        w.BeginObject();
        if (s.Errors > 0)
        {
            Number(w, "failed", s.Errors);
        }
        w.EndObject();
    }

    static void Latency(IRpcWriter w, string type, ulong sum, ulong max, ulong min)
    {
        Number(w, $"{type}_latency_ticks", sum);
        Number(w, $"max_{type}_latency_ticks", max);
        Number(w, $"min_{type}_latency_ticks", min);
    }

    static void Number(IRpcWriter w, string name, ulong value)
    {
        w.Name(name);
        w.Number(value);
    }
}
