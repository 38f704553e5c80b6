using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;

namespace Spindle.Bdev.Null;

/// <summary>Makes bdevs that keep nothing.</summary>
public sealed class NullModule : BdevModule
{
    private IModuleContext? _context;

    /// <inheritdoc/>
    public override string Name => "bdev-null";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) => services.AddSingleton<NullRpc>();

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        _context = context;
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override ModuleUpgrade Upgrade => new NullUpgrade(() => _context ?? throw new InvalidOperationException("The module was not started."));
}
