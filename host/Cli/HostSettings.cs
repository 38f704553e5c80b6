using System.CommandLine;
using Microsoft.Extensions.Logging;
using Spindle.Host.Hosting;
using Spindle.Host.Logging;

namespace Spindle.Cli;

/// <summary>The options by which a command line changes how a host runs, whatever it runs.</summary>
internal sealed class HostSettings
{
    public Option<string?> CpuMask { get; } = new("--cpumask", "-m") { Description = "Cores that run reactors: a mask (0x3) or a list ([0,2-3]).", HelpName = "MASK" };

    public Option<bool> Spin { get; } = new("--spin") { Description = "Reactors never sleep: the lowest latency, at the price of whole cores." };

    public Option<string[]> Modules { get; } = new("--modules")
    {
        Description = "A folder with modules (NAME/VERSION/module.json), searched before the usual ones; repeatable.", HelpName = "DIR", DefaultValueFactory = _ => [],
    };

    public Option<string?> Ring { get; } = CreateRing();

    public Option<bool> Portable { get; } = new("--portable") { Description = "Use .NET's own sockets and files, as on other systems than Linux." };

    private static Option<string?> CreateRing()
    {
        var option = new Option<string?>("--ring") { Description = "The I/O ring: auto, io_uring or epoll.", HelpName = "RING" };
        option.AcceptOnlyFromAmong("auto", "io_uring", "epoll");
        return option;
    }

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { CpuMask, Spin, Modules, Ring, Portable }) command.Add(option);
    }

    /// <summary>Changes what the command line says otherwise.</summary>
    public SpindleHostOptions Apply(ParseResult parsed, SpindleHostOptions options) => options with
    {
        CpuMask = parsed.GetValue(CpuMask) ?? options.CpuMask,
        Spin = options.Spin || parsed.GetValue(Spin),
        ModuleFolders = [.. parsed.GetValue(Modules)!, .. options.ModuleFolders],
        Ring = parsed.GetValue(Ring) ?? options.Ring,
        Portable = options.Portable || parsed.GetValue(Portable),
    };

    /// <summary>Adds logging to standard error, and the settings by which RPC changes it.</summary>
    public static SpindleHostOptions WithLogging(SpindleHostOptions options, LogSettings settings, out ILoggerFactory logging)
    {
        logging = new LoggerFactory([new SpindleLoggerProvider(settings)]);
        return options with { Logging = logging, Services = [.. options.Services, settings] };
    }
}
