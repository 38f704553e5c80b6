using Spindle.Host.Memory;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>The pools of I/O buffers.</summary>
internal sealed class IobufMethods(IobufPools pools)
{
    [RpcMethod("iobuf_set_options", Phase = RpcPhase.Startup, Summary = "Sizes the pools of I/O buffers.", ParameterErrorCode = RpcErrorCode.InvalidParams)]
    public void SetOptions(IobufOptionsParameters parameters)
    {
        if (parameters.EnableNuma == true)
        {
            throw new SpindleException(Errno.EINVAL, "enable_numa: pools for each NUMA node are not supported; leave it out, or set it to false.");
        }
        var options = pools.Options;
        pools.Configure(options with
        {
            SmallPoolCount = parameters.SmallPoolCount ?? options.SmallPoolCount,
            LargePoolCount = parameters.LargePoolCount ?? options.LargePoolCount,
            SmallBufferSize = parameters.SmallBufsize ?? options.SmallBufferSize,
            LargeBufferSize = parameters.LargeBufsize ?? options.LargeBufferSize,
        });
    }

    [RpcMethod("iobuf_get_stats", Summary = "How often each user of the pools got a buffer, and from where.")]
    public IReadOnlyList<IobufStatisticsReply> GetStatistics() => [.. pools.Statistics.Select(s => new IobufStatisticsReply
    {
        Module = s.Module,
        SmallPool = new IobufPoolReply { Cache = s.SmallCache, Main = s.SmallMain, Retry = s.SmallRetry },
        LargePool = new IobufPoolReply { Cache = s.LargeCache, Main = s.LargeMain, Retry = s.LargeRetry },
    })];
}

[RpcObject]
internal sealed class IobufOptionsParameters
{
    [RpcMember(Summary = "Small buffers in all.")]
    public int? SmallPoolCount { get; init; }

    [RpcMember(Summary = "Large buffers in all.")]
    public int? LargePoolCount { get; init; }

    [RpcMember(Summary = "Bytes of a small buffer, a multiple of 4096.")]
    public uint? SmallBufsize { get; init; }

    [RpcMember(Summary = "Bytes of a large buffer, a multiple of 4096.")]
    public uint? LargeBufsize { get; init; }

    [RpcMember(Summary = "Pools for each NUMA node; false only.")]
    public bool? EnableNuma { get; init; }
}

[RpcObject]
internal sealed class IobufStatisticsReply
{
    public string Module { get; init; } = "";

    public IobufPoolReply SmallPool { get; init; } = new();

    public IobufPoolReply LargePool { get; init; } = new();
}

[RpcObject]
internal sealed class IobufPoolReply
{
    public ulong Cache { get; init; }

    public ulong Main { get; init; }

    public ulong Retry { get; init; }
}
