using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Spindle.InteropTests.Processes;

/// <summary>How <c>spindle run</c> is started.</summary>
public sealed record SpindleOptions
{
    /// <summary>The app's folder, as an absolute path or relative to the repository's root.</summary>
    public string App { get; init; } = "apps/nvmf_tgt";

    /// <summary>A configuration file; without one <c>--no-config</c> is given, unless <see cref="AppConfig"/>.</summary>
    public string? Config { get; init; }

    /// <summary>Start with the app's own configuration, which listens on the app's own ports.</summary>
    public bool AppConfig { get; init; }

    /// <summary>Cores, as a mask or a list; the app's own when null.</summary>
    public string? CpuMask { get; init; }

    /// <summary>Stay before initialization until <c>framework_start_init</c>.</summary>
    public bool WaitForRpc { get; init; }

    /// <summary>The program to run.</summary>
    public string Program { get; init; } = Repository.Spindle;

    /// <summary>More arguments.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>More environment variables.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Let every user write to <see cref="SpindleProcess.Folder"/>, for a program that runs as another one.</summary>
    public bool OpenFolder { get; init; }

    /// <summary>The time in which it has to answer its first RPC.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromMinutes(2);
}

/// <summary>
/// A Spindle process of the test's own: <c>artifacts/spindle run</c> with a socket in a temporary folder. It can be killed and started
/// again with the same options and folder; disposing of it kills it.
/// </summary>
public sealed class SpindleProcess : IAsyncDisposable
{
    readonly SpindleOptions options;
    readonly TestLog log;
    readonly StringBuilder output = new();
    Process? process;
    ChildGuard? guard;
    RpcClient? rpc;
    Task streams = Task.CompletedTask;

    SpindleProcess(SpindleOptions options)
    {
        this.options = options;
        log = new TestLog(Path.Combine(Repository.LogFolder("spindle"), "output.log"));
        Folder = Directory.CreateTempSubdirectory("spindle-").FullName;
        if (options.OpenFolder && !OperatingSystem.IsWindows()) File.SetUnixFileMode(Folder, (UnixFileMode)0b111_111_111);
    }

    /// <summary>A temporary folder that lives as long as this object: for disks, configuration files.</summary>
    public string Folder { get; }

    /// <summary>The control socket's path.</summary>
    public string RpcSocket => Path.Combine(Folder, "rpc.sock");

    /// <summary>The process's number.</summary>
    public int Id => Running.Id;

    /// <summary>True when it has ended.</summary>
    public bool HasExited => process?.HasExited ?? true;

    /// <summary>What it wrote on stdout and stderr so far, over all its starts.</summary>
    public string Output
    {
        get { lock (output) return output.ToString(); }
    }

    /// <summary>A connection to its control socket.</summary>
    public RpcClient Rpc => rpc ?? throw new InvalidOperationException("Spindle is not running.");

    Process Running => process ?? throw new InvalidOperationException("Spindle is not running.");

    /// <summary>Starts Spindle and waits until it answers RPCs. Skips or fails the test when it has not been built.</summary>
    /// <param name="options">How to start it.</param>
    /// <param name="ct">Gives up the start.</param>
    /// <exception cref="InvalidOperationException">It ended or did not answer; the message has its output.</exception>
    public static async Task<SpindleProcess> StartAsync(SpindleOptions? options = null, CancellationToken ct = default)
    {
        options ??= new SpindleOptions();
        if (!File.Exists(options.Program)) throw RequiredTool.Missing("artifacts/spindle has not been built", "./build.sh build");
        var spindle = new SpindleProcess(options);
        try
        {
            await spindle.StartAgainAsync(ct);
            return spindle;
        }
        catch
        {
            await spindle.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it again with the same options after <see cref="KillAsync"/> or <see cref="StopAsync"/>.</summary>
    /// <param name="ct">Gives up the start.</param>
    public async Task StartAgainAsync(CancellationToken ct = default)
    {
        if (process is not null) throw new InvalidOperationException("Spindle is still running.");
        // A test run that was started in the background has SIGINT ignored, and its children would too, which a program respects. 'env' becomes the program.
        var start = new ProcessStartInfo("env")
        {
            WorkingDirectory = Folder, UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach (var argument in (IEnumerable<string>)["--default-signal=INT", options.Program, .. CommandLine()]) start.ArgumentList.Add(argument);
        foreach (var (name, value) in options.Environment) start.Environment[name] = value;
        log.Line($"$ spindle {string.Join(' ', start.ArgumentList)}");
        process = Process.Start(start)!;
        process.StandardInput.Close();
        guard = new ChildGuard(process);
        streams = Task.WhenAll(CopyAsync(process.StandardOutput, "spindle> "), CopyAsync(process.StandardError, "spindle! "));
        await WaitForRpcAsync(ct);
    }

    /// <summary>Calls a method.</summary>
    /// <inheritdoc cref="RpcClient.CallAsync"/>
    public Task<JsonElement> CallAsync(string method, object? parameters = null, CancellationToken ct = default) => Rpc.CallAsync(method, parameters, ct);

    /// <summary>Kills it in the middle of whatever it does (SIGKILL) and waits for its end.</summary>
    public async Task KillAsync()
    {
        Running.Kill();
        await EndedAsync(TimeSpan.FromSeconds(30));
    }

    /// <summary>Asks it to end and waits for it.</summary>
    /// <param name="signal">SIGTERM or SIGINT.</param>
    /// <param name="timeout">The time it has; 10 s when not given.</param>
    /// <returns>Its exit status.</returns>
    /// <exception cref="TimeoutException">It did not end.</exception>
    public async Task<int> StopAsync(PosixSignal signal = PosixSignal.SIGTERM, TimeSpan? timeout = null)
    {
        var number = signal switch
        {
            PosixSignal.SIGTERM => 15, PosixSignal.SIGINT => 2, _ => throw new ArgumentOutOfRangeException(nameof(signal), signal, "SIGTERM or SIGINT"),
        };
        if (SendSignal(Running.Id, number) != 0) throw new InvalidOperationException($"kill: errno {Marshal.GetLastPInvokeError()}");
        return await EndedAsync(timeout ?? TimeSpan.FromSeconds(10));
    }

    /// <summary>Waits for its end by itself.</summary>
    /// <param name="timeout">How long.</param>
    /// <returns>Its exit status.</returns>
    /// <exception cref="TimeoutException">It did not end.</exception>
    public Task<int> WaitForExitAsync(TimeSpan timeout) => EndedAsync(timeout);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (process is not null) await KillAsync();
        Directory.Delete(Folder, recursive: true);
    }

    IEnumerable<string> CommandLine()
    {
        List<string> arguments = ["run", Path.Combine(Repository.Root, options.App), "--rpc-socket", RpcSocket];
        if (options.Config is not null) arguments.AddRange(["--config", options.Config]);
        else if (!options.AppConfig) arguments.Add("--no-config");
        if (options.CpuMask is not null) arguments.AddRange(["--cpumask", options.CpuMask]);
        if (options.WaitForRpc) arguments.Add("--wait-for-rpc");
        return arguments.Concat(options.Arguments);
    }

    async Task WaitForRpcAsync(CancellationToken ct)
    {
        var clock = Stopwatch.StartNew();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(options.StartTimeout);
        try
        {
            while (!Running.HasExited)
            {
                try
                {
                    rpc = await RpcClient.ConnectAsync(RpcSocket, limit.Token);
                    // Once the server listens, this call returns when the configuration has been applied.
                    await rpc.CallAsync(options.WaitForRpc ? "rpc_get_methods" : "framework_wait_init", null, limit.Token);
                    log.Line($"spindle: process {Running.Id} answers RPCs after {clock.Elapsed.TotalSeconds:0.00} s");
                    return;
                }
                catch (Exception e) when (e is SocketException or IOException)
                {
                    rpc?.Dispose();
                    rpc = null;
                    await Task.Delay(20, limit.Token);
                }
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new InvalidOperationException($"Spindle did not answer on {RpcSocket} within {options.StartTimeout.TotalSeconds:0} s:\n{Output}");
        }

        await Running.WaitForExitAsync(ct);
        await Task.WhenAny(streams, Task.Delay(1000, ct));
        throw new InvalidOperationException($"Spindle ended at its start with exit status {Running.ExitCode}:\n{Output}");
    }

    async Task<int> EndedAsync(TimeSpan timeout)
    {
        var ended = Running;
        using var limit = new CancellationTokenSource(timeout);
        try { await ended.WaitForExitAsync(limit.Token); }
        catch (OperationCanceledException) { throw new TimeoutException($"Spindle (process {ended.Id}) did not end within {timeout.TotalSeconds:0.#} s:\n{Output}"); }

        await Task.WhenAny(streams, Task.Delay(2000));
        var status = ended.ExitCode;
        log.Line($"spindle: process {ended.Id} ended with exit status {status}");
        guard?.Dispose();
        rpc?.Dispose();
        ended.Dispose();
        (process, guard, rpc) = (null, null, null);
        return status;
    }

    async Task CopyAsync(StreamReader from, string prefix)
    {
        while (await from.ReadLineAsync() is { } line)
        {
            lock (output) output.AppendLine(line);
            log.Line(prefix + line);
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    static extern int SendSignal(int process, int signal);
}
