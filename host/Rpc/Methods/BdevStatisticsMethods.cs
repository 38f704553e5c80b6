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

    async Task<IRpcResult> SumsAsync(IReadOnlyList<Bdev> bdevs, bool named, BdevStatisticsReset mode)
    {
        var items = new List<BdevIostat>();
        foreach (var bdev in bdevs)
        {
            try
            {
                items.Add(new BdevIostat(bdev.Name, await registry.GetStatisticsAsync(bdev, mode), BdevRegistry.GetDepthSamples(bdev)));
            }
            catch (SpindleException) when (!named)
            {
                // Removed meanwhile; nobody asked for this one.
            }
        }
        return new IostatResult(null, items, []);
    }

    async Task<IRpcResult> PerChannelAsync(Bdev bdev, BdevStatisticsReset mode)
    {
        var items = (await registry.GetChannelStatisticsAsync(bdev, mode)).Select(c => (c.Thread.Id, c.Statistics)).ToList();
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
                await registry.GetStatisticsAsync(bdev, parameters.Mode);
            }
            catch (SpindleException) when (parameters.Name is null)
            {
                // Removed meanwhile.
            }
        }
    }

    [RpcMethod("bdev_set_qd_sampling_period", Summary = "Has the queue depth of a bdev looked at every so often, for bdev_get_iostat.")]
    public async Task SetSamplingAsync(SamplingParameters parameters)
    {
        var bdev = BdevMethods.Find(registry, parameters.Name);
        if (parameters.Period > MaxPeriod)
        {
            throw new SpindleException(Errno.EINVAL, $"period is {parameters.Period} microseconds; it must be at most {MaxPeriod}, a day.");
        }
        await registry.SetDepthSamplingAsync(bdev, TimeSpan.FromMicroseconds(parameters.Period));
    }

    const ulong MaxPeriod = 86_400_000_000;
}

[RpcObject]
internal sealed class SamplingParameters
{
    [RpcMember(Required = true, Summary = "The bdev's name.")]
    public string Name { get; init; } = "";

    [RpcMember(Required = true, Summary = "Microseconds between two looks; 0: no more.")]
    public ulong Period { get; init; }
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
    public BdevStatisticsReset ResetMode { get; init; } = BdevStatisticsReset.None;
}

[RpcObject]
internal sealed class ResetIostatParameters
{
    [RpcMember(Summary = "The bdev; all when left out.")]
    public string? Name { get; init; }

    [RpcMember(Summary = "What to set to zero: all, maxmin, error or none.")]
    public BdevStatisticsReset Mode { get; init; } = BdevStatisticsReset.All;
}

/// <summary>What one bdev has counted.</summary>
internal sealed record BdevIostat(string Name, BdevStatistics Statistics, BdevDepthSamples? Depth);

/// <summary>Counters in SPDK's form: "bdevs" with a name each, or "channels" of one bdev with a thread each.</summary>
internal sealed class IostatResult(string? name, IReadOnlyList<BdevIostat> bdevs, IReadOnlyList<(ulong Thread, BdevStatistics Statistics)> channels) : IRpcResult
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
            foreach (var bdev in bdevs)
            {
                w.BeginObject();
                w.Name("name");
                w.String(bdev.Name);
                WriteCounters(w, bdev.Statistics);
                if (bdev.Depth is { } depth)
                {
                    Number(w, "queue_depth_polling_period", (ulong)depth.Period.TotalMicroseconds);
                    Number(w, "queue_depth", depth.QueueDepth);
                    Number(w, "io_time", depth.IoTimeMicroseconds);
                    Number(w, "weighted_io_time", depth.WeightedIoTimeMicroseconds);
                }
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
        for (var i = 0; i < BdevErrorCounts.Length; i++)
        {
            if (s.Errors[i] > 0)
            {
                Number(w, s_statusNames[i], s.Errors[i]);
            }
        }
        w.EndObject();
    }

    // SPDK's names of the statuses -1, -2 and so on.
    static readonly string[] s_statusNames = ["failed", "nvme_error", "scsi_error", "nomem", "miscompare", "first_fused_failed", "aborted"];

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
