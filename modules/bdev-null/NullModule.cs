using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;

namespace Spindle.Bdev.Null;

/// <summary>Makes bdevs that keep nothing.</summary>
public sealed class NullModule : BdevModule
{
    /// <inheritdoc/>
    public override string Name => "bdev-null";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) => services.AddSingleton<NullRpc>();
}
