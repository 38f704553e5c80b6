using System.CommandLine;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Spindle.Host.Hosting;
using Spindle.Host.Logging;
using Spindle.Rpc;

namespace Spindle.Cli;

/// <summary><c>spindle fsck</c>: has the module tool-fsck look at a disk, or at a bdev that is made for it. Nothing else looks at it: a host that loaded the store would change it.</summary>
internal sealed class FsckCommand
{
    private const string Tool = "tool-fsck", FileBdev = "fsck";

    // As fsck(8) has them.
    public const int Failed = 8, Usage = 16, Cancelled = 32;

    private readonly HostSettings _settings = new();
    private readonly Argument<string?> _file = new("FILE") { Description = "A disk, or a file with its contents.", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<string?> _bdev = new("--bdev") { Description = "A bdev that --config or --create makes.", HelpName = "NAME" };
    private readonly Option<string?> _config = new("--config") { Description = "Make bdevs by this configuration (SPDK's JSON format).", HelpName = "FILE" };
    private readonly Option<string[]> _create = new("--create") { Description = "Make a bdev by an RPC; repeatable.", HelpName = "METHOD:JSON", DefaultValueFactory = _ => [] };
    private readonly Option<bool> _repair = new("--repair") { Description = "Put right what can be put right, and save what can be saved." };
    private readonly Option<bool> _json = new("--json") { Description = "Print JSON." };
    private readonly Option<bool> _quiet = new("--no-progress") { Description = "Do not say on standard error how far it is." };
    private readonly Option<bool> _verbose = new("--verbose") { Description = "Log what the host does." };

    public static Command Create()
    {
        var self = new FsckCommand();
        var command = new Command("fsck", "Checks a store of logical volumes on a disk that no host has open, and repairs it if told to. Exit status: 0 in order, 1 repaired, 4 something is wrong, "
            + "8 it could not be checked, 16 wrong usage, 32 interrupted.")
        {
            self._file, self._bdev, self._config, self._create, self._repair, self._json, self._quiet, self._verbose,
        };
        self._settings.AddTo(command);
        command.SetAction((parsed, _) => self.RunAsync(parsed));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed)
    {
        string? file = parsed.GetValue(_file), bdev = parsed.GetValue(_bdev);
        if (file?.StartsWith('-') == true)
        {
            Console.Error.WriteLine($"spindle: '{file}' is no option of fsck; a file of that name is ./{file}\nTry: spindle fsck --help");
            return Usage;
        }
        if (file is null == bdev is null)
        {
            Console.Error.WriteLine("spindle: fsck needs a disk or a file, or a bdev by --bdev.\nTry: spindle fsck --help");
            return Usage;
        }
        using var signals = new Signals();
        ILoggerFactory? logging = null;
        try
        {
            var settings = new LogSettings();
            if (!parsed.GetValue(_verbose)) settings.PrintLevel = SpindleLogLevel.Error;
            var options = HostSettings.WithLogging(_settings.Apply(parsed, new SpindleHostOptions { ConfigFile = parsed.GetValue(_config), WaitForRpc = true }), settings, out logging);
            options = options with { Modules = file is null ? ToolRun.ModulesFor(Tool, options) : [new("bdev-aio"), new(Tool)] };
            await using var host = await SpindleHost.StartAsync(options, signals.Ending);
            if (bdev is not null) await host.CallAsync("bdev_set_options", $$"""{"examine_deny":{{JsonSerializer.Serialize(new[] { bdev })}}}""");
            await host.CallAsync("framework_start_init");
            await host.Ready;
            if (file is not null) await host.CallAsync("bdev_aio_create", $$"""{"name":"{{FileBdev}}","filename":{{JsonSerializer.Serialize(Path.GetFullPath(file))}},"readonly":{{(parsed.GetValue(_repair) ? "false" : "true")}}}""");
            foreach (var (method, json) in parsed.GetValue(_create)!.Select(ToolRun.ParseCall)) await host.CallAsync(method, json);
            List<string> arguments = ["--bdev", bdev ?? FileBdev, "--called", bdev ?? file!];
            if (parsed.GetValue(_repair)) arguments.Add("--repair");
            if (parsed.GetValue(_json)) arguments.Add("--json");
            if (parsed.GetValue(_quiet)) arguments.Add("--no-progress");
            return await ToolRun.RunAsync(host, Tool, arguments, signals.Ending);
        }
        catch (Exception e) when (e is SpindleException or RpcException)
        {
            Console.Error.WriteLine($"spindle fsck: {file ?? bdev}: {e.Message}");
            return Failed;
        }
        catch (OperationCanceledException) when (signals.Ending.IsCancellationRequested)
        {
            return Cancelled;
        }
        finally
        {
            logging?.Dispose();
        }
    }
}
