using Microsoft.Extensions.Logging;
using Spindle.Host.Reactors;

namespace Spindle.Host.Faults;

/// <summary>Who allocates, in bytes a second, while the heap is larger than it should be.</summary>
/// <param name="Module">Name and version; empty for what no module's breadcrumb was on.</param>
/// <param name="What">What runs while it allocates.</param>
/// <param name="BytesPerSecond">How much.</param>
internal sealed record AllocationSuspect(string Module, string What, long BytesPerSecond);

/// <summary>Watches the managed heap; above the limit the reactors measure who allocates, for a second at a time.</summary>
internal sealed class HeapWatch(ReactorSystem system, FaultOptions options, ILogger log)
{
    private long _measuredSince;
    private long _allocatedBefore;
    private long _reportedAt;

    /// <summary>Bytes of the managed heap.</summary>
    public long HeapBytes { get; private set; }

    /// <summary>The limit.</summary>
    public long Limit => options.HeapLimit;

    /// <summary>Who allocated most while it was measured last, the first first; empty while the heap is below its limit.</summary>
    public IReadOnlyList<AllocationSuspect> Suspects { get; private set; } = [];

    /// <summary>Once a second; on the watchdog's thread.</summary>
    public void Look()
    {
        HeapBytes = GC.GetTotalMemory(false);
        if (_measuredSince != 0)
        {
            Evaluate();
            return;
        }
        if (HeapBytes < options.HeapLimit)
        {
            if (Suspects.Count > 0) Suspects = [];
            _reportedAt = 0;
            return;
        }
        foreach (var reactor in system.Reactors)
        {
            reactor.Meter.Take();
            reactor.Breadcrumb.IsMeasuring = true;
        }
        _allocatedBefore = GC.GetTotalAllocatedBytes();
        _measuredSince = Environment.TickCount64;
    }

    private void Evaluate()
    {
        double seconds = Math.Max(0.001, (Environment.TickCount64 - _measuredSince) / 1000.0);
        _measuredSince = 0;
        long all = GC.GetTotalAllocatedBytes() - _allocatedBefore, seen = 0;
        var suspects = new List<AllocationSuspect>();
        foreach (var reactor in system.Reactors)
        {
            reactor.Breadcrumb.IsMeasuring = false;
            foreach (var (id, bytes) in reactor.Meter.Take())
            {
                seen += bytes;
                var crumb = Breadcrumbs.Find(id);
                suspects.Add(new AllocationSuspect(crumb?.Module ?? "", crumb?.What ?? $"reactor {reactor.Core}", (long)(bytes / seconds)));
            }
        }
        if (all > seen) suspects.Add(new AllocationSuspect("", "threads that are no reactors", (long)((all - seen) / seconds)));
        Suspects = [.. suspects.GroupBy(s => (s.Module, s.What)).Select(g => new AllocationSuspect(g.Key.Module, g.Key.What, g.Sum(s => s.BytesPerSecond)))
            .OrderByDescending(s => s.BytesPerSecond).Take(8)];
        // Again when it has doubled since.
        if (Suspects.Count == 0 || HeapBytes < _reportedAt * 2) return;
        _reportedAt = HeapBytes;
        log.LogWarning("The managed heap has {Heap} MiB, above the limit of {Limit} MiB. Who allocates most: {Suspects}.", HeapBytes >> 20, options.HeapLimit >> 20,
            string.Join("; ", Suspects.Take(3).Select(s => $"{(s.Module.Length > 0 ? $"module {s.Module}, " : "")}{s.What}: {s.BytesPerSecond / 1048576.0:0.0} MiB/s")));
    }
}
