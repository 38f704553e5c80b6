using Microsoft.Extensions.Logging.Abstractions;
using Spindle.Host.Reactors;
using Spindle.Host.Rpc;
using Spindle.Host.Rpc.Json;
using Spindle.Rpc;
using Spindle.UnitTests.Support;

namespace Spindle.UnitTests.Rpc;

/// <summary>A server on a socket of its own, with real reactors and a few methods: echo, add, wait, big, fail, errno, crash.</summary>
internal sealed class RpcTestServer : IAsyncDisposable
{
    private readonly string _folder;

    private RpcTestServer(string folder, ReactorSystem threads, Func<RpcServerOptions, RpcServerOptions>? change)
    {
        _folder = folder;
        Threads = threads;
        Methods = new RpcMethodRegistry(NullLogger<RpcMethodRegistry>.Instance) { Phase = RpcPhase.Runtime };
        Dispatcher = new RpcDispatcher(Methods, threads, NullLogger<RpcDispatcher>.Instance);
        var options = new RpcServerOptions { SocketPath = Path.Combine(folder, "rpc.sock") };
        Server = new RpcServer(Dispatcher, change?.Invoke(options) ?? options, NullLogger<RpcServer>.Instance);
        var registrar = Methods.ForModule("test");
        registrar.Register(new TestMethod("echo", (r, w, _) => { Echo(r, w); return default; }));
        registrar.Register(new TestMethod("add", Add));
        registrar.Register(new TestMethod("wait", async (r, w, _) => { await Gate.Task; w.Boolean(true); }));
        registrar.Register(new TestMethod("big", Big));
        registrar.Register(new TestMethod("fail", (_, _, _) => throw new RpcException(-32602, "No space left on device")));
        registrar.Register(new TestMethod("errno", (_, _, _) => throw new SpindleException(Errno.ENODEV, "there is no bdev 'x'.")));
        registrar.Register(new TestMethod("crash", (_, _, _) => throw new InvalidOperationException("boom")));
        registrar.Register(new TestMethod("half", (_, w, _) => { w.BeginObject(); return default; }));
        registrar.Register(new TestMethod("startup", (_, w, _) => { w.Boolean(true); return default; }, RpcPhase.Startup));
    }

    public ReactorSystem Threads { get; }
    public RpcMethodRegistry Methods { get; }
    public RpcDispatcher Dispatcher { get; }
    public RpcServer Server { get; }
    public TaskCompletionSource Gate { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static async Task<RpcTestServer> StartAsync(Func<RpcServerOptions, RpcServerOptions>? change = null)
    {
        var environment = new TestEnvironment(1);
        var server = new RpcTestServer(TempFolder(), await ReactorSystem.StartAsync(environment, new ReactorOptions()), change);
        server.Server.Start();
        return server;
    }

    public static string TempFolder() => Directory.CreateTempSubdirectory("rpc").FullName;

    public Task<RawRpcClient> ConnectAsync() => RawRpcClient.ConnectAsync(Server.SocketPath);

    public async ValueTask DisposeAsync()
    {
        Gate.TrySetResult();
        await Server.DisposeAsync();
        Assert.Equal(0, Server.ConnectionCount);
        Assert.Equal(0, Server.RunningCalls);
        Assert.Equal(0, Server.BufferedBytes);
        await Threads.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    static void Echo(IRpcReader reader, IRpcWriter writer)
    {
        var json = reader.Kind == RpcValueKind.None ? default : ((RpcJsonReader)reader).TakeRaw();
        if (json.IsEmpty || json.Span.Contains((byte)'\n'))
        {
            writer.Null(); // the client here takes replies by lines
            return;
        }
        new RpcJsonText(json).Write(writer);
    }

    static ValueTask Add(IRpcReader reader, IRpcWriter writer, CancellationToken cancellationToken)
    {
        long sum = 0;
        reader.BeginObject();
        while (reader.NextMember(out var name))
        {
            sum += name is "a" or "b" ? reader.ReadSigned() : throw reader.UnknownMember(name);
        }
        writer.Number(sum);
        return default;
    }

    static ValueTask Big(IRpcReader reader, IRpcWriter writer, CancellationToken cancellationToken)
    {
        reader.BeginObject();
        reader.NextMember(out _);
        var count = reader.ReadUnsigned();
        writer.BeginArray();
        for (ulong i = 0; i < count; i += 1000)
        {
            writer.String(new string('x', 997));
        }
        writer.EndArray();
        return default;
    }
}

internal sealed class TestMethod(string name, Func<IRpcReader, IRpcWriter, CancellationToken, ValueTask> run, RpcPhase phase = RpcPhase.Runtime, params string[] aliases) : RpcMethodHandler
{
    public override string Name => name;
    public override RpcPhase Phase => phase;
    public override IReadOnlyList<string> DeprecatedAliases => aliases;
    public override ValueTask InvokeAsync(IRpcReader parameters, IRpcWriter result, CancellationToken cancellationToken) => run(parameters, result, cancellationToken);
}
