using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Bdev.Passthru;

/// <summary>Makes bdevs that hand every I/O to another one.</summary>
public sealed class PassthruModule : BdevModule
{
    private PassthruCollection? _collection;

    /// <inheritdoc/>
    public override string Name => "bdev-passthru";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) =>
        services.AddSingleton(provider => Collection(provider.GetRequiredService<IModuleContext>())).AddSingleton<PassthruRpc>();

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        Collection(context);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override void ExamineConfig(Bdevs.Bdev bdev) => _collection?.OnNewBdev(bdev);

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer) => _collection?.WriteConfig(writer);

    /// <inheritdoc/>
    public override ModuleUpgrade Upgrade => new PassthruUpgrade(() => _collection);

    private PassthruCollection Collection(IModuleContext context) => _collection ??= new PassthruCollection(context);
}
