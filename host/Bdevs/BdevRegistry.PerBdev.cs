using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Dif;
using Spindle.Host.Bdevs.Qos;

namespace Spindle.Host.Bdevs;

/// <content>What is counted of one bdev, what is set for it, and who uses it.</content>
public sealed partial class BdevRegistry
{
    /// <summary>The counters of a bdev, summed over all threads; sets some to zero.</summary>
    public Task<BdevStatistics> GetStatisticsAsync(Bdev bdev, BdevStatisticsReset reset = BdevStatisticsReset.None) => EntryOf(bdev).GetStatisticsAsync(reset);

    /// <summary>The counters of a bdev for each storage thread that has it open; sets some of them to zero.</summary>
    public Task<IReadOnlyList<(Spindle.Threading.IStorageThread Thread, BdevStatistics Statistics)>> GetChannelStatisticsAsync(Bdev bdev, BdevStatisticsReset reset = BdevStatisticsReset.None) =>
        EntryOf(bdev).GetChannelStatisticsAsync(reset);

    /// <summary>Counts a bdev's latencies from now on; null: no more.</summary>
    /// <exception cref="SpindleException">EINVAL: the options, with the member named; or counters are off in this process.</exception>
    public Task SetHistogramAsync(Bdev bdev, BdevHistogramOptions? options) => EntryOf(bdev).Histogram.SetAsync(options);

    /// <summary>How a bdev's latencies are counted; null: they are not.</summary>
    public static BdevHistogramOptions? GetHistogramOptions(Bdev bdev) => EntryOf(bdev).Histogram.Options;

    /// <summary>The latencies of a bdev, summed over all threads; null when they are not counted.</summary>
    public Task<LatencyHistogram?> GetHistogramAsync(Bdev bdev) => EntryOf(bdev).Histogram.GetAsync();

    /// <summary>Looks at a bdev's queue depth every so often from now on; zero: no more.</summary>
    /// <param name="bdev">The bdev.</param>
    /// <param name="period">At most a day.</param>
    public Task SetDepthSamplingAsync(Bdev bdev, TimeSpan period) => EntryOf(bdev).Depth.SetPeriodAsync(period);

    /// <summary>What the looks at a bdev's queue depth found; null while there are none.</summary>
    public static BdevDepthSamples? GetDepthSamples(Bdev bdev) => EntryOf(bdev).Depth.Samples;

    /// <summary>What is done about I/O of a bdev that does not complete; null: what the host does about any bdev's.</summary>
    public static BdevIoTimeout? GetIoTimeout(Bdev bdev) => EntryOf(bdev).IoTimeout;

    /// <summary>Says what is to be done about I/O of a bdev that does not complete; null: what the host does about any bdev's.</summary>
    public void SetIoTimeout(Bdev bdev, BdevIoTimeout? timeout)
    {
        EntryOf(bdev).IoTimeout = timeout;
        IoTimeoutChanged?.Invoke();
    }

    /// <summary>Told when <see cref="SetIoTimeout"/> was called.</summary>
    internal event Action? IoTimeoutChanged;

    /// <summary>The limits on a bdev's reads and writes.</summary>
    public static BdevRateLimits GetRateLimits(Bdev bdev) => EntryOf(bdev).Qos.Limits;

    /// <summary>Limits a bdev's reads and writes from now on; I/O that waits for the limits of before goes by the new ones.</summary>
    /// <exception cref="SpindleException">ENODEV: it is being removed.</exception>
    public Task SetRateLimitsAsync(Bdev bdev, BdevRateLimits limits) => EntryOf(bdev).Qos.SetAsync(limits);

    private long _protectionErrors;

    /// <summary>A block's protection information does not fit: said once per power of two, since a disk with one such block may have many.</summary>
    internal void OnProtectionError(Bdev bdev, DifResult what, ulong block)
    {
        long count = Interlocked.Increment(ref _protectionErrors);
        if ((count & (count - 1)) != 0) return;
        string tag = what switch { DifResult.Guard => "guard", DifResult.ApplicationTag => "application tag", _ => "reference tag" };
        _log.LogError("Block {Block} of bdev {Bdev}: the {Tag} of its protection information does not fit ({Count} such blocks so far)", block, bdev.Name, tag, count);
    }

    /// <summary>The claim on a bdev: its kind by SPDK's name ("not_claimed" when there is none) and the modules that hold it.</summary>
    public static (BdevClaimType Type, string WireName, IReadOnlyList<string> Holders) GetClaim(Bdev bdev)
    {
        var entry = EntryOf(bdev);
        lock (entry.DescriptorLock)
            return (entry.Claims.Type, BdevClaims.WireName(entry.Claims.Type), [.. entry.Claims.Holders.Select(h => h.Module).Distinct()]);
    }

    /// <summary>Who has a bdev open, in the order of opening.</summary>
    public static IReadOnlyList<BdevOpen> GetOpens(Bdev bdev)
    {
        var entry = EntryOf(bdev);
        lock (entry.DescriptorLock)
            return [.. entry.Descriptors.Select(d => new BdevOpen(d.Module, d.IsWritable, d.Purpose, entry.Claims.Holders.Any(h => ReferenceEquals(h.Descriptor, d))))];
    }

    internal static int NotifyMedia(Bdev bdev, IReadOnlyList<BdevMediaEvent> events)
    {
        foreach (var (offset, count) in events)
            if (count == 0 || offset >= bdev.BlockCount || count > bdev.BlockCount - offset)
                throw new SpindleException(Errno.EINVAL, $"{count} blocks from {offset} on are not a range of bdev '{bdev.Name}', which has {bdev.BlockCount}.");
        var entry = EntryOf(bdev);
        BdevDescriptor[] writers;
        lock (entry.DescriptorLock) writers = [.. entry.Descriptors.Where(d => d.IsWritable)];
        if (writers.Length == 0 || events.Count == 0) return 0;
        int kept = writers.Min(writer => writer.MediaEvents.Add(events));
        foreach (var writer in writers) writer.Notify(BdevEventType.MediaManagement);
        return kept;
    }

    /// <summary>How many descriptors a bdev has open, and how many channels; for statistics and leak checks.</summary>
    public (int Descriptors, int Channels) GetUse(Bdev bdev)
    {
        var entry = EntryOf(bdev);
        lock (entry.DescriptorLock) return (entry.Descriptors.Count, Threads.Devices.ChannelCount(entry));
    }
}
