using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;

namespace Spindle.Bdev.Malloc;

/// <summary>Makes bdevs in memory.</summary>
public sealed class MallocModule : BdevModule
{
    /// <inheritdoc/>
    public override string Name => "bdev-malloc";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) => services.AddSingleton<MallocRpc>();
}
