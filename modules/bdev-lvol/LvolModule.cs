using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;

namespace Spindle.Bdev.Lvol;

/// <summary>Makes logical volumes in stores on other bdevs.</summary>
public sealed class LvolModule : BdevModule
{
    private LvolStores? _stores;

    /// <inheritdoc/>
    public override string Name => "bdev-lvol";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) =>
        services.AddSingleton(provider => Stores(provider.GetRequiredService<IModuleContext>())).AddSingleton<Lvols>().AddSingleton<LvstoreRpc>().AddSingleton<LvolRpc>().AddSingleton<SnapshotRpc>()
        .AddSingleton<ShallowCopies>().AddSingleton<ParentRpc>();

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        Stores(context);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override bool ExaminesDisks => true;

    /// <inheritdoc/>
    public override void ExamineConfig(Bdevs.Bdev bdev)
    {
        if (_stores is { All.Count: > 0 } stores) _ = stores.OnNewBdevAsync(bdev);
    }

    /// <inheritdoc/>
    public override Task ExamineDiskAsync(Bdevs.Bdev bdev, CancellationToken cancellationToken) => _stores?.ExamineAsync(bdev) ?? Task.CompletedTask;

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        // A store on a volume of another one goes first.
        foreach (var store in (_stores?.All ?? []).Reverse().ToArray()) await _stores!.UnloadAsync(store);
    }

    private LvolStores Stores(IModuleContext context) => _stores ??= new LvolStores(context);
}
