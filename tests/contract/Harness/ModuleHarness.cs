using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NSubstitute;
using Spindle.Bdev.Aio;
using Spindle.Bdev.Malloc;
using Spindle.Bdev.Null;
using Spindle.Bdev.Passthru;
using Spindle.Bdevs;
using Spindle.Io;
using Spindle.Memory;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.ContractTests.Harness;

/// <summary>The modules under test, composed as the host does it but in the test's own load context, so that their RPC classes can be called.</summary>
public sealed class ModuleHarness(ContractHost host)
{
    private readonly PassthruModule _passthru = new();

    public MallocRpc Malloc { get; private set; } = null!;
    public NullRpc Null { get; private set; } = null!;
    public AioRpc Aio { get; private set; } = null!;
    public PassthruRpc Passthru { get; private set; } = null!;
    public PassthruModule PassthruModule => _passthru;

    public IModuleContext Context(string module) => new Door(host, module);

    internal async Task StartAsync()
    {
        Malloc = (await StartAsync(new MallocModule())).GetRequiredService<MallocRpc>();
        Null = (await StartAsync(new NullModule())).GetRequiredService<NullRpc>();
        Aio = (await StartAsync(new AioModule())).GetRequiredService<AioRpc>();
        Passthru = (await StartAsync(_passthru)).GetRequiredService<PassthruRpc>();
    }

    private async Task<IServiceProvider> StartAsync(BdevModule module)
    {
        var context = new Door(host, module.Name);
        var services = new ServiceCollection();
        services.AddSingleton<IModuleContext>(context);
        services.AddSingleton(context.Logging);
        module.ConfigureServices(services);
        context.Services = services.BuildServiceProvider();
        await module.InitializeAsync(context, CancellationToken.None);
        host.Bdevs.Examiner.Add(module);
        return context.Services;
    }

    private sealed class Door(ContractHost host, string module) : IModuleContext
    {
        public string ModuleName => module;
        public string ModuleVersion => "0.1.0";
        public IBdevRegistry Bdevs { get; } = host.Bdevs.ForModule(module);
        public IStorageThreads Threads => host.Threads;
        public IIoPlatform Io => host.Environment.Io;
        public IDmaMemory Memory => host.Environment.Memory;
        public IIobuf Iobuf => host.Iobuf;
        public IRpcRegistrar Rpc { get; } = Substitute.For<IRpcRegistrar>();
        public ILoggerFactory Logging => NullLoggerFactory.Instance;
        public INotifications Notifications { get; } = Substitute.For<INotifications>();
        public IServiceProvider Services { get; set; } = null!;
        public string SettingsJson => "{}";
    }
}
