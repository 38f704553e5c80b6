using Microsoft.Extensions.DependencyInjection;
using Spindle.Bdev.Nvme.Controllers;
using Spindle.Bdev.Nvme.Rpc;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Bdev.Nvme;

/// <summary>Attaches NVMe controllers and makes bdevs on their namespaces.</summary>
public sealed class NvmeModule : BdevModule
{
    private NvmeControllers? _controllers;

    /// <inheritdoc/>
    public override string Name => "bdev-nvme";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) => services
        .AddSingleton(provider => new NvmeService(Controllers(provider.GetRequiredService<IModuleContext>())))
        .AddSingleton<ControllerRpc>().AddSingleton<OptionsRpc>().AddSingleton<QueryRpc>().AddSingleton<MultipathRpc>();

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        Controllers(context);
        return Task.CompletedTask;
    }

    private NvmeControllers Controllers(IModuleContext context) => _controllers ??= new NvmeControllers(context);

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer)
    {
        if (_controllers is not null) SavedConfiguration.Write(writer, _controllers);
    }

    /// <inheritdoc/>
    public override Task StopAsync(CancellationToken cancellationToken) => _controllers?.StopAsync() ?? Task.CompletedTask;
}

/// <summary>The module's state, as its RPC classes take it.</summary>
public sealed class NvmeService
{
    internal NvmeService(NvmeControllers controllers) => Controllers = controllers;

    internal NvmeControllers Controllers { get; }
}
