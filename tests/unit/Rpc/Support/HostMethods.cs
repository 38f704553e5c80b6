using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NSubstitute;
using Spindle.Bdevs;
using Spindle.Host.Modules;
using Spindle.Host.Rpc;
using Spindle.Rpc;
using Spindle.Threading;
using Spindle.UnitTests.Support;

namespace Spindle.UnitTests.Rpc;

/// <summary>The host's own methods on real reactors and a real bdev layer, without a socket.</summary>
internal sealed class HostMethods : IAsyncDisposable
{
    private HostMethods(BdevHost host)
    {
        Host = host;
        var moduleServices = Substitute.For<IModuleHostServices>();
        moduleServices.Logging.Returns(NullLoggerFactory.Instance);
        Services = new ServiceCollection()
            .AddSingleton(Lifecycle)
            .AddSingleton(host.Threads).AddSingleton<IStorageThreads>(host.Threads)
            .AddSingleton(host.Iobuf).AddSingleton(host.Registry)
            .AddSingleton(new ModuleHost(moduleServices))
            .AddSingleton<ILoggerFactory>(NullLoggerFactory.Instance).AddSingleton(typeof(ILogger<>), typeof(NullLogger<>))
            .AddSpindleRpc(new RpcServerOptions())
            .BuildServiceProvider();
        Services.RegisterHostMethods();
        Rpc = Services.GetRequiredService<RpcDispatcher>();
        Rpc.Methods.Phase = RpcPhase.Runtime;
    }

    public BdevHost Host { get; }
    public ServiceProvider Services { get; }
    public RpcDispatcher Rpc { get; }
    public IFrameworkLifecycle Lifecycle { get; } = Substitute.For<IFrameworkLifecycle>();

    public static async Task<HostMethods> StartAsync() => new(await BdevHost.StartAsync(2));

    public async ValueTask DisposeAsync()
    {
        await Services.DisposeAsync();
        await Host.DisposeAsync();
    }

    public async Task<JsonElement> CallAsync(string method, string? parameters = null) => JsonDocument.Parse(await Rpc.InvokeAsync(method, parameters)).RootElement;

    public async Task<(int Code, string Message)> FailAsync(string method, string? parameters = null)
    {
        var error = await Assert.ThrowsAsync<RpcException>(() => Rpc.InvokeAsync(method, parameters));
        return (error.Code, error.Message);
    }

    public Task AddAsync(Bdev bdev) => Host.RunAsync(() =>
    {
        Host.Bdevs.Register(bdev);
        return Task.CompletedTask;
    });
}
