using System.CommandLine;
using Microsoft.Extensions.Logging;
using Spindle.Host.Hosting;
using Spindle.Host.Logging;
using Spindle.Host.Manifests;
using Spindle.Host.Modules;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Cli;

/// <summary><c>spindle perf TOOL …</c>: runs a tool module in a host of its own. The host's options and those that make bdevs are taken here, the
/// others are the tool's.</summary>
internal sealed class PerfCommand
{
    private readonly HostSettings _settings = new();
    private readonly Option<string?> _config = new("--config") { Description = "Make bdevs by this configuration (SPDK's JSON format).", HelpName = "FILE" };
    private readonly Option<string[]> _create = new("--create")
    {
        Description = "Make a bdev by an RPC: bdev_null_create:{\"name\":\"Null0\",\"num_blocks\":262144,\"block_size\":4096}; repeatable.",
        HelpName = "METHOD:JSON", DefaultValueFactory = _ => [],
    };
    private readonly Option<bool> _verbose = new("--verbose") { Description = "Log what the host does." };

    /// <summary>The command as the help shows it; <see cref="RunAsync(string[])"/> does its work.</summary>
    public static Command Create() => new PerfCommand().CreateCommand();

    private Command CreateCommand()
    {
        var command = new Command("perf", "Runs a load generator: 'bdev' for bdevs of this process, 'nvme' as an initiator over NVMe/TCP. 'spindle perf TOOL --help' has its options.")
        {
            new Argument<string>("TOOL") { Description = "bdev, nvme, or the name of a tool module." }, _config, _create, _verbose,
        };
        _settings.AddTo(command);
        command.TreatUnmatchedTokensAsErrors = false;
        return command;
    }

    public static Task<int> RunAsync(string[] arguments)
    {
        if (arguments.Length > 0 && !arguments[0].StartsWith('-')) return new PerfCommand().RunToolAsync(arguments[0], arguments[1..]);
        if (arguments is ["--help" or "-h" or "-?", ..]) return new RootCommand { Create() }.Parse(["perf", "--help"]).InvokeAsync();
        Console.Error.WriteLine(arguments.Length == 0
            ? "spindle: perf needs a tool: bdev or nvme."
            : $"spindle: the tool (bdev or nvme) comes before its options; '{arguments[0]}' is none.");
        Console.Error.WriteLine("Try: spindle perf --help");
        return Task.FromResult(ExitCode.Usage);
    }

    private async Task<int> RunToolAsync(string name, string[] arguments)
    {
        // Not a root command: that would take --help for itself.
        var command = new Command("perf") { _config, _create, _verbose };
        _settings.AddTo(command);
        command.TreatUnmatchedTokensAsErrors = false;
        var parsed = command.Parse(arguments);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors) Console.Error.WriteLine($"spindle: {error.Message}");
            return ExitCode.Usage;
        }

        using var signals = new Signals();
        ILoggerFactory? logging = null;
        try
        {
            var calls = parsed.GetValue(_create)!.Select(ParseCall).ToList();
            var settings = new LogSettings();
            if (!parsed.GetValue(_verbose)) settings.PrintLevel = SpindleLogLevel.Error;
            var tool = name switch { "bdev" => "tool-bdevperf", "nvme" => "tool-nvmeperf", _ => name };
            var options = HostSettings.WithLogging(_settings.Apply(parsed, new SpindleHostOptions { ConfigFile = parsed.GetValue(_config) }), settings, out logging);
            options = options with { Modules = ModulesFor(tool, options) };
            await using var host = await SpindleHost.StartAsync(options, signals.Ending);
            foreach (var (method, json) in calls) await host.CallAsync(method, json);
            return await RunAsync(host, tool, parsed.UnmatchedTokens, signals.Ending);
        }
        catch (Exception e) when (e is SpindleException or RpcException)
        {
            Console.Error.WriteLine($"spindle: {e.Message}");
            return ExitCode.Failure;
        }
        catch (OperationCanceledException) when (signals.Ending.IsCancellationRequested)
        {
            return ExitCode.Failure;
        }
        finally
        {
            logging?.Dispose();
        }
    }

    /// <summary>The tool, and every bdev module there is: any of them may be asked for bdevs.</summary>
    private static List<AppModule> ModulesFor(string tool, SpindleHostOptions options)
    {
        var catalogue = new ModuleCatalogue(options.ModuleFolders);
        if (!catalogue.Find(tool).Kinds.HasFlag(ModuleKinds.Tool))
            throw new SpindleException(Errno.EINVAL, $"Module {tool} is no tool; 'spindle module list' shows those of kind 'tool'.");
        return [.. catalogue.List().Where(entry => entry.Manifest?.Kinds.HasFlag(ModuleKinds.Bdev) == true && entry.Name != tool)
            .Select(entry => entry.Name).Distinct().Select(name => new AppModule(name)), new AppModule(tool)];
    }

    private static async Task<int> RunAsync(SpindleHost host, string tool, IReadOnlyList<string> arguments, CancellationToken ending)
    {
        var module = host.Modules.Find(tool)!;
        // First use of code costs milliseconds; it would be measured.
        if (module.PreparationCompleted is { } prepared) await prepared;
        int exitCode = ExitCode.Failure;
        await host.InvokeAsync(async () =>
        {
            var instance = (ToolModule)module.Instance!;
            exitCode = await instance.RunAsync(module.ContextForTool, arguments, Console.Out, ending);
        });
        return exitCode;
    }

    private static (string Method, string? Json) ParseCall(string text)
    {
        int colon = text.IndexOf(':');
        return colon < 0 ? (text, null) : (text[..colon], text[(colon + 1)..]);
    }
}
