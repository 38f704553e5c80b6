using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NSubstitute;
using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Rpc;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Frontend.Nvmf.Tcp;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Host.Bdevs;
using Spindle.Host.Environments;
using Spindle.Host.Memory;
using Spindle.Host.Reactors;
using Spindle.Modules;
using Spindle.Nvme.LogPages;

namespace Spindle.NvmfTests.Core.Bench;

/// <summary>The real reactors, bdev layer and target, with a <see cref="FakeTransport"/>, or TCP on a port of loopback.</summary>
internal sealed class CoreBench : IAsyncDisposable
{
    public const string Subsystem = "nqn.2026-11.io.spindle:test";

    private readonly IHostEnvironment _environment;
    private readonly IobufPools _iobuf;

    private CoreBench(IHostEnvironment environment, ReactorSystem threads, TargetHolder holder)
    {
        _environment = environment;
        Threads = threads;
        _iobuf = new IobufPools(environment.Memory);
        Registry = new BdevRegistry(threads, environment.Memory, _iobuf);
        Bdevs = Registry.ForModule("test");
        Holder = holder;
        Context = Substitute.For<IModuleContext>();
        Context.ModuleName.Returns("frontend-nvmf");
        Context.Threads.Returns(threads);
        Context.Bdevs.Returns(Registry.ForModule("frontend-nvmf"));
        Context.Io.Returns(environment.Io);
        Context.Memory.Returns(environment.Memory);
        Context.Iobuf.Returns(_iobuf);
        Context.Logging.Returns(NullLoggerFactory.Instance);
        Target = new NvmfTarget(Context, holder.Configuration);
        holder.Target = Target;
    }

    public ReactorSystem Threads { get; }
    public BdevRegistry Registry { get; }
    public IBdevRegistry Bdevs { get; }
    public IModuleContext Context { get; }
    public TargetHolder Holder { get; }
    public NvmfTarget Target { get; }
    public FakeTransport Transport { get; private set; } = null!;

    /// <summary>A target with one subsystem that any host may use, and a listener for it and for discovery.</summary>
    public static async Task<CoreBench> StartAsync(Action<NvmfTransportOptions>? options = null, SubsystemOptions? subsystem = null, Action<TargetConfiguration>? configure = null)
    {
        CoreBench bench = await StartTargetAsync(configure);
        NvmfTransportOptions transportOptions = new();
        options?.Invoke(transportOptions);
        await bench.RunAsync(async () =>
        {
            bench.Transport = new FakeTransport(transportOptions);
            await bench.Target.AddTransportAsync(bench.Transport);
            NvmfSubsystem made = await bench.Target.CreateSubsystemAsync(Subsystem, false, subsystem ?? new SubsystemOptions());
            made.AllowAnyHost = true;
            await bench.Target.AddListenerAsync(made, FakeTransport.Address, AnaState.Optimized);
            await bench.Target.AddListenerAsync(bench.Target.Subsystems[0], FakeTransport.Address, AnaState.Optimized);
        });
        return bench;
    }

    /// <summary>The same over TCP.</summary>
    public static async Task<(CoreBench Bench, IPEndPoint EndPoint)> StartTcpAsync(Action<NvmfTransportOptions>? options = null)
    {
        CoreBench bench = await StartTargetAsync(null);
        IPEndPoint endPoint = null!;
        await bench.RunAsync(async () =>
        {
            TcpTransportFactory factory = new();
            NvmfTransportOptions transportOptions = factory.CreateDefaultOptions();
            options?.Invoke(transportOptions);
            await bench.Target.CreateTransportAsync(factory, transportOptions);
            NvmfSubsystem made = await bench.Target.CreateSubsystemAsync(Subsystem, false, new SubsystemOptions());
            made.AllowAnyHost = true;
            await bench.Target.AddListenerAsync(made, new NvmfTransportAddress(TransportType.Tcp, AddressFamily.Ipv4, "127.0.0.1", "0"), AnaState.Optimized);
            await bench.Target.AddListenerAsync(bench.Target.Subsystems[0], made.Listeners[0].Address, AnaState.Optimized);
            endPoint = new IPEndPoint(IPAddress.Loopback, int.Parse(made.Listeners[0].Address.ServiceId));
        });
        return (bench, endPoint);
    }

    /// <summary>A running target with nothing in it but the discovery subsystem.</summary>
    public static async Task<CoreBench> StartTargetAsync(Action<TargetConfiguration>? configure)
    {
        IHostEnvironment environment = HostEnvironment.Create(new HostEnvironmentOptions(UseHugePages: false));
        ReactorSystem threads = await ReactorSystem.StartAsync(environment, new ReactorOptions([.. environment.AvailableCores.Take(2)]));
        TargetHolder holder = new();
        configure?.Invoke(holder.Configuration);
        CoreBench bench = new(environment, threads, holder);
        threads.Faulted += fault => bench.Faults.Enqueue(fault);
        await bench.RunAsync(bench.Target.StartAsync);
        return bench;
    }

    public System.Collections.Concurrent.ConcurrentQueue<ThreadFault> Faults { get; } = new();

    /// <summary>Runs on the app thread, with a limit.</summary>
    public Task RunAsync(Func<Task> function) => Threads.AppThread.InvokeAsync(function).WaitAsync(TimeSpan.FromSeconds(30));

    /// <summary>Runs on the app thread, with a limit.</summary>
    public async Task<T> RunAsync<T>(Func<Task<T>> function)
    {
        T result = default!;
        await RunAsync(async () => { result = await function(); });
        return result;
    }

    /// <summary>Makes a bdev and adds it to the subsystem.</summary>
    public async Task<T> AddNamespaceAsync<T>(T bdev, uint nsid = 0, uint anaGroup = 0) where T : Bdev
    {
        await RunAsync(async () =>
        {
            Bdevs.Register(bdev);
            NvmfSubsystem subsystem = Target.FindSubsystem(Subsystem)!;
            await subsystem.ChangeAsync(() => Target.Namespaces.AddAsync(subsystem, new NamespaceParameters(bdev.Name, nsid, AnaGroupId: anaGroup)));
        });
        return bdev;
    }

    /// <summary>Stops the target; fails when something threw on a storage thread or was left behind.</summary>
    public async ValueTask DisposeAsync()
    {
        using (CancellationTokenSource limit = new(TimeSpan.FromSeconds(10)))
        {
            await RunAsync(() => Target.StopAsync(limit.Token));
        }
        await RunAsync(async () =>
        {
            foreach (Bdev bdev in Registry.All.Reverse()) await Registry.UnregisterAsync(bdev);
        });
        await Threads.DisposeAsync();
        (int, int) inUse = _iobuf.InUse;
        Registry.Dispose();
        _iobuf.Dispose();
        _environment.Dispose();
        Assert.Empty(Faults);
        Assert.Equal((0, 0), inUse);
    }
}
