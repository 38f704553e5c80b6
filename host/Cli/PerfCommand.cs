using System.CommandLine;
using Microsoft.Extensions.Logging;
using Spindle.Host.Hosting;
using Spindle.Host.Logging;
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
            var calls = parsed.GetValue(_create)!.Select(ToolRun.ParseCall).ToList();
            var settings = new LogSettings();
            if (!parsed.GetValue(_verbose)) settings.PrintLevel = SpindleLogLevel.Error;
            var tool = name switch { "bdev" => "tool-bdevperf", "nvme" => "tool-nvmeperf", _ => name };
            var options = HostSettings.WithLogging(_settings.Apply(parsed, new SpindleHostOptions { ConfigFile = parsed.GetValue(_config) }), settings, out logging);
            options = options with { Modules = ToolRun.ModulesFor(tool, options) };
            await using var host = await SpindleHost.StartAsync(options, signals.Ending);
            foreach (var (method, json) in calls) await host.CallAsync(method, json);
            return await ToolRun.RunAsync(host, tool, parsed.UnmatchedTokens, signals.Ending);
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
}
