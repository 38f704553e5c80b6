using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Newtonsoft.Json.Linq;
using Spindle.Bench.Processes;
using Spindle.Bench.Scenarios;
using Spindle.Host.Rpc.Client;

namespace Spindle.Bench.Contenders;

/// <summary>An NVMe/TCP target in a process of its own, Spindle's or the peer's, configured by the same calls. Between its runs it is stopped
/// (SIGSTOP), so that it does not poll while the other one is measured.</summary>
public sealed class Target : IAsyncDisposable
{
    public const string Nqn = "nqn.2026-11.io.spindle:bench";
    private static readonly TimeSpan s_startLimit = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly Task _output;
    private readonly bool _own;
    private readonly Queue<string> _lines = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RpcClient? _rpc;

    private Target(Process process, int port, string commandLine, bool own)
    {
        _own = own;
        _process = process;
        Port = port;
        CommandLine = commandLine;
        _output = Task.WhenAll(KeepAsync(process.StandardOutput), KeepAsync(process.StandardError));
    }

    public int Port { get; }

    public int Pid => _process.Id;

    public string CommandLine { get; }

    /// <summary>From the start of the process to the answer of its first RPC, seconds.</summary>
    public double SecondsToFirstRpc { get; private set; }

    /// <summary>Starts one that serves a namespace on a bdev.</summary>
    /// <param name="contender">Whose.</param>
    /// <param name="cpumask">The cores of its reactors.</param>
    /// <param name="bdevCalls">Calls that make the bdev "Bench0"; null: nothing is configured.</param>
    /// <param name="settings">Where the programs are.</param>
    /// <param name="cancellationToken">The user gives up.</param>
    public static async Task<Target> StartAsync(Contender contender, string cpumask, JArray? bdevCalls, BenchSettings settings, CancellationToken cancellationToken)
    {
        int port = FreePort();
        string socket = settings.NewPath("rpc.sock"), config = settings.NewPath("target.json");
        await File.WriteAllTextAsync(config, bdevCalls is null ? "{\"subsystems\":[]}" : Configuration(bdevCalls, port), cancellationToken);
        bool own = contender == Contender.Spindle;
        string program = own ? settings.Spindle : settings.Peer!.Target;
        string[] arguments = own
            ? ["run", Path.Combine(settings.Root, "apps", "nvmf_tgt"), "--config", config, "--rpc-socket", socket, "--cpumask", cpumask]
            : ["-c", config, "-r", socket, "-m", cpumask, .. PeerTools.Memory(1024)];
        string commandLine = $"{program} {string.Join(' ', arguments)}";
        if (settings.Verbose) Console.Error.WriteLine($"$ {commandLine}");
        var clock = Stopwatch.StartNew();
        var target = new Target(CommandRun.Start(program, arguments), port, commandLine, own);
        try
        {
            await target.ConnectAsync(socket, clock, cancellationToken);
            if (bdevCalls is not null) await target.ListensAsync(cancellationToken);
            return target;
        }
        catch
        {
            await target.DisposeAsync();
            throw;
        }
    }

    /// <summary>Calls an RPC.</summary>
    public async Task<JToken> CallAsync(string method, string? parameters = null, CancellationToken cancellationToken = default) =>
        JToken.Parse(await _rpc!.CallAsync(method, parameters, cancellationToken).WaitAsync(TimeSpan.FromSeconds(20), cancellationToken));

    /// <summary>The part of the time in which its reactors found work: (busy, all) in ticks, summed over the reactors.</summary>
    public async Task<(double Busy, double All)> ReactorTicksAsync(CancellationToken cancellationToken)
    {
        double busy = 0, idle = 0;
        foreach (var reactor in (await CallAsync("framework_get_reactors", null, cancellationToken))["reactors"]!)
        {
            busy += (double)reactor["busy"]!;
            idle += (double)reactor["idle"]!;
        }
        return (busy, busy + idle);
    }

    /// <summary>Ends when the program says on its output that it is ready: Spindle by what it serves, the last lines of its start. The peer is ready when it listens.</summary>
    public async Task ReadyAsync(CancellationToken cancellationToken)
    {
        if (_own) await _ready.Task.WaitAsync(s_startLimit, cancellationToken);
    }

    public void Pause() => ProcessUsage.Stop(Pid);

    public void Resume() => ProcessUsage.Continue(Pid);

    /// <summary>What it printed last, for messages.</summary>
    public string Tail()
    {
        lock (_lines) return string.Join('\n', _lines);
    }

    public async ValueTask DisposeAsync()
    {
        if (_rpc is not null) await _rpc.DisposeAsync();
        if (!_process.HasExited)
        {
            Resume();
            ProcessUsage.Terminate(Pid);
            await Task.WhenAny(_process.WaitForExitAsync(), Task.Delay(TimeSpan.FromSeconds(5)));
            if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        }
        await Task.WhenAny(_output, Task.Delay(TimeSpan.FromSeconds(2)));
        _process.Dispose();
    }

    private async Task ConnectAsync(string socket, Stopwatch clock, CancellationToken cancellationToken)
    {
        while (true)
        {
            Alive();
            if (clock.Elapsed > s_startLimit) throw new BenchException($"no RPC answer within {s_startLimit.TotalSeconds:0} s from {CommandLine}:\n{Tail()}");
            if (File.Exists(socket))
            {
                try
                {
                    _rpc = await RpcClient.ConnectAsync(socket, cancellationToken);
                    await CallAsync("spdk_get_version", null, cancellationToken);
                    SecondsToFirstRpc = clock.Elapsed.TotalSeconds;
                    return;
                }
                catch (SpindleException)
                {
                    if (_rpc is not null) await _rpc.DisposeAsync();
                    _rpc = null;
                }
            }
            await Task.Delay(2, cancellationToken);
        }
    }

    private async Task ListensAsync(CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            Alive();
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, Port, cancellationToken);
                return;
            }
            catch (SocketException) when (clock.Elapsed < s_startLimit)
            {
                await Task.Delay(20, cancellationToken);
            }
            catch (SocketException e)
            {
                throw new BenchException($"{CommandLine} does not listen on port {Port}: {e.Message}\n{Tail()}");
            }
        }
    }

    private void Alive()
    {
        if (!_process.HasExited) return;
        _output.Wait(TimeSpan.FromSeconds(2));
        throw new BenchException($"{CommandLine}\nended with exit status {_process.ExitCode}:\n{Tail()}");
    }

    private async Task KeepAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("Control socket:", StringComparison.Ordinal)) _ready.TrySetResult();
            lock (_lines)
            {
                _lines.Enqueue(line);
                if (_lines.Count > 12) _lines.Dequeue();
            }
        }
    }

    private static string Configuration(JArray bdevCalls, int port) => Backing.Configuration(("bdev", bdevCalls), ("nvmf", new JArray
    {
        Backing.Call("nvmf_create_transport", new { trtype = "TCP", max_queue_depth = 256, max_io_qpairs_per_ctrlr = 127 }),
        Backing.Call("nvmf_create_subsystem", new { nqn = Nqn, allow_any_host = true, serial_number = "BENCH" }),
        Backing.Call("nvmf_subsystem_add_ns", new { nqn = Nqn, @namespace = new { nsid = 1, bdev_name = BdevScenario.BdevName } }),
        Backing.Call("nvmf_subsystem_add_listener", new { nqn = Nqn, listen_address = new { trtype = "TCP", adrfam = "IPv4", traddr = "127.0.0.1", trsvcid = $"{port}" } }),
    }));

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
