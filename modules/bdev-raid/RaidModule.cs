using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Bdev.Raid;

/// <summary>Makes arrays of bdevs.</summary>
public sealed class RaidModule : BdevModule
{
    private RaidArrays? _arrays;

    /// <inheritdoc/>
    public override string Name => "bdev-raid";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) =>
        services.AddSingleton(provider => Arrays(provider.GetRequiredService<IModuleContext>())).AddSingleton<RaidRpc>().AddSingleton<Scrub.IntegrityRpc>();

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        Arrays(context);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override bool ExaminesDisks => true;

    /// <inheritdoc/>
    public override Task ExamineDiskAsync(Bdevs.Bdev bdev, CancellationToken cancellationToken) => _arrays?.ExamineAsync(bdev) ?? Task.CompletedTask;

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer) => _arrays?.WriteConfig(writer);

    /// <inheritdoc/>
    public override Task StopAsync(CancellationToken cancellationToken) => _arrays?.StopAsync() ?? Task.CompletedTask;

    private RaidArrays Arrays(IModuleContext context) => _arrays ??= new RaidArrays(context);
}
