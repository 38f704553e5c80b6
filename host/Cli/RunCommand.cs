using System.CommandLine;
using Microsoft.Extensions.Logging;
using Spindle.Host.Hosting;
using Spindle.Host.Logging;
using Spindle.Host.Manifests;

namespace Spindle.Cli;

/// <summary><c>spindle run APP_DIR</c>: starts the app that a manifest describes, and serves until a signal or an RPC ends it.</summary>
internal sealed class RunCommand
{
    /// <summary>Together with the end of the runtime itself, below the two seconds that an operator is promised.</summary>
    private static readonly TimeSpan s_stopTimeout = TimeSpan.FromSeconds(1.5);

    /// <summary>Who waits for the sign of readiness does not wait longer than this for compiled code.</summary>
    private static readonly TimeSpan s_longestPreparation = TimeSpan.FromSeconds(5);

    private readonly Argument<string> _app = new("APP_DIR")
    {
        Description = "The folder of an app.json, or the name of an app that came with this program.", DefaultValueFactory = _ => "nvmf_tgt",
    };
    private readonly Option<string?> _config = new("--config", "-c") { Description = "Load this configuration (SPDK's JSON format) instead of the app's.", HelpName = "FILE" };
    private readonly Option<bool> _noConfig = new("--no-config") { Description = "Start with nothing configured." };
    private readonly Option<string?> _socket = new("--rpc-socket", "-r") { Description = "The control socket's path.", HelpName = "PATH" };
    private readonly Option<bool> _wait = new("--wait-for-rpc") { Description = "Initialize only when the RPC framework_start_init is called." };
    private readonly HostSettings _settings = new();

    public static Command Create()
    {
        var run = new RunCommand();
        var command = new Command("run", "Starts an app and serves until SIGINT, SIGTERM or the RPC spdk_kill_instance.")
        {
            run._app, run._config, run._noConfig, run._socket, run._wait,
        };
        run._settings.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetValue(run._app) is ['-', ..] option) result.AddError($"There is no option '{option}'.");
            if (result.GetValue(run._config) is not null && result.GetValue(run._noConfig)) result.AddError("--config and --no-config exclude each other; give one.");
        });
        command.SetAction((parsed, _) => run.RunAsync(parsed));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed)
    {
        using var signals = new Signals();
        var logSettings = new LogSettings();
        ILoggerFactory? logging = null;
        try
        {
            var app = AppManifest.Load(FindApp(parsed.GetValue(_app)!));
            var options = HostSettings.WithLogging(_settings.Apply(parsed, OptionsOf(parsed, app)), logSettings, out logging);
            SpindleHost host;
            try
            {
                host = await SpindleHost.StartAsync(options, signals.Ending);
            }
            catch (OperationCanceledException) when (signals.Ending.IsCancellationRequested)
            {
                return ExitCode.Success;
            }
            return await ServeAsync(host, app, signals.Ending);
        }
        catch (SpindleException e)
        {
            logging?.Dispose(); // Lines before this one first.
            logging = null;
            Console.Error.WriteLine($"spindle: {e.Message}");
            return ExitCode.Failure;
        }
        finally
        {
            logging?.Dispose();
        }
    }

    private static async Task<int> ServeAsync(SpindleHost host, AppManifest app, CancellationToken ending)
    {
        using var shownUntil = CancellationTokenSource.CreateLinkedTokenSource(ending);
        var failed = host.Ready.ContinueWith(static ready => ready.Exception?.InnerException, TaskScheduler.Default);
        var ended = Task.WhenAny(WaitAsync(ending), host.ShutdownRequested, FailureAsync(failed));
        if (host.Ready.IsCompleted)
        {
            // RPCs and connections are served already; what is printed says that they are served at full speed.
            await Task.WhenAny(host.Prepared, ended, Task.Delay(s_longestPreparation, ending));
            await ServedTable.PrintAsync(host, app, Console.Out);
        }
        else Console.Out.WriteLine($"{app.Name}: waiting for framework_start_init on {host.RpcSocket}");
        await Console.Out.FlushAsync(CancellationToken.None);

        var status = Console.IsOutputRedirected ? Task.CompletedTask : StatusLine.ShowAsync(host, Console.Out, shownUntil.Token);
        await ended;
        await shownUntil.CancelAsync();
        await status;
        bool clean = await host.StopAsync();
        if (failed.IsCompleted && await failed is { } failure and not OperationCanceledException)
        {
            Console.Error.WriteLine($"spindle: {failure.Message}");
            return ExitCode.Failure;
        }
        return clean ? ExitCode.Success : ExitCode.Failure;
    }

    private static async Task WaitAsync(CancellationToken token)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = token.Register(static state => ((TaskCompletionSource)state!).TrySetResult(), done);
        await done.Task;
    }

    /// <summary>Ends only if the start failed.</summary>
    private static async Task FailureAsync(Task<Exception?> failed)
    {
        if (await failed is null) await Task.Delay(Timeout.Infinite);
    }

    private SpindleHostOptions OptionsOf(ParseResult parsed, AppManifest app)
    {
        var options = SpindleHostOptions.FromApp(app);
        return options with
        {
            ConfigFile = parsed.GetValue(_noConfig) ? null : parsed.GetValue(_config) ?? options.ConfigFile,
            RpcSocket = parsed.GetValue(_socket) ?? options.RpcSocket,
            WaitForRpc = parsed.GetValue(_wait),
            StopTimeout = s_stopTimeout,
            ReactorsOwnTheirCores = true,
        };
    }

    /// <summary>The folder given, or apps/NAME beside the program, above it, or in the source tree it is in.</summary>
    private static string FindApp(string given)
    {
        if (File.Exists(given) || File.Exists(Path.Combine(given, "app.json"))) return given;
        if (!given.Contains('/') && !given.Contains('\\'))
            for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(folder)))
                if (Path.Combine(folder, "apps", given) is var app && File.Exists(Path.Combine(app, "app.json"))) return app;
        throw new SpindleException(Errno.ENOENT, $"There is no app '{given}': no {Path.Combine(given, "app.json")}, and no apps/{given} beside this program. Give the folder of an app.json.");
    }
}
