using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;

namespace Spindle.Bdev.Malloc;

/// <summary>Makes bdevs in memory.</summary>
public sealed class MallocModule : BdevModule
{
    private IModuleContext? _context;

    /// <inheritdoc/>
    public override string Name => "bdev-malloc";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) => services.AddSingleton<MallocRpc>();

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        _context = context;
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override ModuleUpgrade Upgrade => new MallocUpgrade(() => _context ?? throw new InvalidOperationException("The module was not started."));
}
