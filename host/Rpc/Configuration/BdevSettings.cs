using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Host.Rpc.Methods;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Configuration;

/// <summary>The calls that bring back what was set for one bdev, whoever made it.</summary>
internal static class BdevSettings
{
    /// <summary>Writes them; nothing where all is as it is for a new bdev.</summary>
    public static void Save(Bdev bdev, IConfigWriter calls)
    {
        SaveLimits(bdev, calls);
        SaveHistogram(bdev, calls);
        SaveSampling(bdev, calls);
        SaveTimeout(bdev, calls);
    }

    static void SaveHistogram(Bdev bdev, IConfigWriter calls)
    {
        if (BdevRegistry.GetHistogramOptions(bdev) is not { } options)
        {
            return;
        }
        var usual = new BdevHistogramOptions();
        calls.Call("bdev_enable_histogram", w =>
        {
            w.Name("name");
            w.String(bdev.Name);
            w.Name("enable");
            w.Boolean(true);
            if (options.Type is { } type)
            {
                w.Name("opc");
                w.String(BdevIoTypeNames.Of(type));
            }
            if (options.Granularity != usual.Granularity)
            {
                w.Name("granularity");
                w.Number((long)options.Granularity);
            }
            if (options.MinNanoseconds != usual.MinNanoseconds)
            {
                w.Name("min_nsec");
                w.Number(options.MinNanoseconds);
            }
            if (options.MaxNanoseconds != usual.MaxNanoseconds)
            {
                w.Name("max_nsec");
                w.Number(options.MaxNanoseconds);
            }
        });
    }

    static void SaveSampling(Bdev bdev, IConfigWriter calls)
    {
        if (BdevRegistry.GetDepthSamples(bdev) is not { } samples)
        {
            return;
        }
        calls.Call("bdev_set_qd_sampling_period", w =>
        {
            w.Name("name");
            w.String(bdev.Name);
            w.Name("period");
            w.Number((ulong)samples.Period.TotalMicroseconds);
        });
    }

    static void SaveTimeout(Bdev bdev, IConfigWriter calls)
    {
        if (BdevRegistry.GetIoTimeout(bdev) is not { } timeout)
        {
            return;
        }
        calls.Call("bdev_set_io_timeout", w =>
        {
            w.Name("name");
            w.String(bdev.Name);
            if (timeout.After is { } after)
            {
                w.Name("timeout_ms");
                w.Number((ulong)after.TotalMilliseconds);
            }
            if (timeout.Action is { } action)
            {
                w.Name("action");
                w.String(action.ToString().ToLowerInvariant());
            }
        });
    }

    static void SaveLimits(Bdev bdev, IConfigWriter calls)
    {
        var limits = BdevRegistry.GetRateLimits(bdev);
        (string Name, ulong Value)[] set = [.. new[]
        {
            ("rw_ios_per_sec", limits.ReadWriteIosPerSecond), ("rw_mbytes_per_sec", limits.ReadWriteMegabytesPerSecond),
            ("r_mbytes_per_sec", limits.ReadMegabytesPerSecond), ("w_mbytes_per_sec", limits.WriteMegabytesPerSecond),
        }.Where(limit => limit.Item2 > 0)];
        if (set.Length == 0)
        {
            return;
        }
        calls.Call("bdev_set_qos_limit", w =>
        {
            w.Name("name");
            w.String(bdev.Name);
            foreach (var (name, value) in set)
            {
                w.Name(name);
                w.Number(value);
            }
        });
    }
}
