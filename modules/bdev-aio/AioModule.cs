using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;

namespace Spindle.Bdev.Aio;

/// <summary>Makes bdevs on files and block devices.</summary>
public sealed class AioModule : BdevModule
{
    private IModuleContext? _context;

    /// <inheritdoc/>
    public override string Name => "bdev-aio";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) => services.AddSingleton<AioRpc>();

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        _context = context;
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override ModuleUpgrade Upgrade => new AioUpgrade(() => _context ?? throw new InvalidOperationException("The module was not started."));
}
