using Spindle.Host.Bdevs;
using Spindle.Host.Memory;
using Spindle.Host.Modules;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Configuration;

/// <summary>A part of the framework whose configuration is saved on its own.</summary>
/// <param name="Name">SPDK's name where it has one.</param>
/// <param name="DependsOn">What must be configured before.</param>
public sealed record FrameworkSubsystem(string Name, IReadOnlyList<string> DependsOn);

/// <summary>The subsystems of this host, in the order in which their configurations load: iobuf, bdev, then those of the front-ends. On the app thread.</summary>
public sealed class FrameworkSubsystems(IobufPools iobuf, BdevRegistry bdevs, ModuleHost modules)
{
    const string Iobuf = "iobuf";
    const string Bdev = "bdev";
    const string Tool = "tool";

    IEnumerable<PluginModule> Plugins => modules.Modules.Select(m => m.Instance).OfType<PluginModule>();

    /// <summary>The subsystems.</summary>
    public IReadOnlyList<FrameworkSubsystem> All =>
    [
        new(Iobuf, []),
        new(Bdev, [Iobuf]),
        .. Plugins.Select(p => p.Subsystem).Where(s => s is not (Iobuf or Bdev or Tool)).Distinct().Select(s => new FrameworkSubsystem(s, [Bdev])),
    ];

    /// <summary>The calls that bring a subsystem back to the state it is in; null when there is no such subsystem.</summary>
    public ConfigCalls? Save(string subsystem)
    {
        if (All.All(s => s.Name != subsystem))
        {
            return null;
        }
        var calls = new ConfigCalls();
        switch (subsystem)
        {
            case Iobuf:
                SaveIobuf(calls);
                break;
            case Bdev:
                SaveBdevs(calls);
                break;
            default:
                SaveModules(subsystem, calls);
                break;
        }
        return calls;
    }

    void SaveIobuf(IConfigWriter calls)
    {
        var options = iobuf.Options;
        calls.Call("iobuf_set_options", w =>
        {
            w.Name("small_pool_count");
            w.Number((long)options.SmallPoolCount);
            w.Name("large_pool_count");
            w.Number((long)options.LargePoolCount);
            w.Name("small_bufsize");
            w.Number((ulong)options.SmallBufferSize);
            w.Name("large_bufsize");
            w.Number((ulong)options.LargeBufferSize);
            w.Name("enable_numa");
            w.Boolean(false);
        });
    }

    void SaveBdevs(ConfigCalls calls)
    {
        var options = bdevs.Options;
        calls.Call("bdev_set_options", w =>
        {
            w.Name("bdev_io_pool_size");
            w.Number((long)options.IoPoolSize);
            w.Name("bdev_io_cache_size");
            w.Number((long)options.IoCacheSize);
            w.Name("bdev_auto_examine");
            w.Boolean(options.AutoExamine);
            if (options.ExamineDeny.Count > 0)
            {
                w.Name("examine_deny");
                w.BeginArray();
                foreach (string pattern in options.ExamineDeny) w.String(pattern);
                w.EndArray();
            }
            w.Name("iobuf_small_cache_size");
            w.Number((long)options.IobufSmallCacheSize);
            w.Name("iobuf_large_cache_size");
            w.Number((long)options.IobufLargeCacheSize);
        });
        foreach (var name in bdevs.Examiner.Requested)
        {
            calls.Call("bdev_examine", w =>
            {
                w.Name("name");
                w.String(name);
            });
        }
        SaveModules(Bdev, calls);
        // In the order of registration, so that a bdev comes after those it stands on.
        foreach (var bdev in bdevs.All)
        {
            Guard(bdev.ModuleName, () => bdev.WriteConfig(calls));
        }
        // Last, so that what follows finds the bdevs that examination makes.
        calls.Call("bdev_wait_for_examine");
        foreach (var bdev in bdevs.All)
        {
            BdevSettings.Save(bdev, calls);
        }
    }

    void SaveModules(string subsystem, ConfigCalls calls)
    {
        foreach (var plugin in Plugins.Where(p => p.Subsystem == subsystem))
        {
            Guard(plugin.Name, () => plugin.WriteConfig(calls));
        }
    }

    /// <summary>A configuration with a gap would be worse than none.</summary>
    static void Guard(string module, Action write)
    {
        try
        {
            write();
        }
        catch (Exception exception)
        {
            throw new RpcException(RpcErrorCode.InternalError, $"Internal error: module '{module}' failed to write its configuration: {exception.GetType().Name}: {exception.Message}");
        }
    }
}
