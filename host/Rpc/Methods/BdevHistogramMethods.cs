using System.Buffers.Binary;
using System.Diagnostics;
using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>Latency histograms of bdevs.</summary>
internal sealed class BdevHistogramMethods(BdevRegistry registry)
{
    [RpcMethod("bdev_enable_histogram", Summary = "Has the latencies of a bdev's I/O counted in a histogram, or ends it.")]
    public async Task EnableAsync(EnableHistogramParameters parameters)
    {
        var bdev = BdevMethods.Find(registry, parameters.Name);
        BdevIoType? type = null;
        if (parameters.Opc is { } opc)
        {
            type = BdevIoTypeNames.Find(opc)
                ?? throw new RpcException(RpcErrorCode.InternalError, $"Invalid Io type: opc is '{opc}'; it must be one of {string.Join(", ", BdevIoTypeNames.All.Select(n => n.Name))}.");
        }
        await registry.SetHistogramAsync(bdev, parameters.Enable ? new BdevHistogramOptions(type, parameters.Granularity, parameters.MinNsec, parameters.MaxNsec) : null);
    }

    [RpcMethod("bdev_get_histogram", Summary = "The histogram of a bdev's latencies: its counters in base64, and what they stand for.")]
    public async Task<HistogramReply> GetAsync(GetHistogramParameters parameters)
    {
        var bdev = BdevMethods.Find(registry, parameters.Name);
        var histogram = await registry.GetHistogramAsync(bdev)
            ?? throw new RpcException(RpcErrorCode.InternalError, $"Bad address: bdev '{bdev.Name}' has no histogram; turn it on by bdev_enable_histogram.");
        var bytes = new byte[histogram.Buckets.Length * sizeof(ulong)];
        for (var i = 0; i < histogram.Buckets.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * sizeof(ulong)), histogram.Buckets[i]);
        }
        return new HistogramReply
        {
            Histogram = Convert.ToBase64String(bytes), Granularity = histogram.Options.Granularity, MinRange = histogram.FirstRange, MaxRange = histogram.LastRange, TscRate = Stopwatch.Frequency,
        };
    }
}

[RpcObject]
internal sealed class EnableHistogramParameters
{
    [RpcMember(Required = true, Summary = "The bdev's name.")]
    public string Name { get; init; } = "";

    [RpcMember(Required = true, Summary = "Whether to count.")]
    public bool Enable { get; init; }

    [RpcMember(Summary = "The type of I/O to count, by its name in supported_io_types; all when left out.")]
    public string? Opc { get; init; }

    [RpcMember(Summary = "Each power of two has 2^granularity buckets; 7 when left out.")]
    public byte Granularity { get; init; } = 7;

    [RpcMember(Summary = "Nanoseconds of the shortest latency told apart; 1000 when left out.")]
    public ulong MinNsec { get; init; } = 1000;

    [RpcMember(Summary = "Nanoseconds of the longest; 120000000000 when left out.")]
    public ulong MaxNsec { get; init; } = 120_000_000_000;
}

[RpcObject]
internal sealed class GetHistogramParameters
{
    [RpcMember(Required = true, Summary = "The bdev's name.")]
    public string Name { get; init; } = "";
}

[RpcObject]
internal sealed class HistogramReply
{
    public string Histogram { get; init; } = "";

    public int Granularity { get; init; }

    public int MinRange { get; init; }

    public int MaxRange { get; init; }

    public long TscRate { get; init; }
}
