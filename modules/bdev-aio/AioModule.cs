using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;

namespace Spindle.Bdev.Aio;

/// <summary>Makes bdevs on files and block devices.</summary>
public sealed class AioModule : BdevModule
{
    /// <inheritdoc/>
    public override string Name => "bdev-aio";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) => services.AddSingleton<AioRpc>();
}
