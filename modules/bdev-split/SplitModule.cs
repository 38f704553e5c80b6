using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Split;

/// <summary>Makes bdevs that each show an equal part of another one.</summary>
public sealed class SplitModule : BdevModule
{
    private VirtualBdevs<SplitAssociation>? _splits;

    /// <inheritdoc/>
    public override string Name => "bdev-split";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) =>
        services.AddSingleton(provider => Splits(provider.GetRequiredService<IModuleContext>())).AddSingleton<SplitRpc>();

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        Splits(context);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override void ExamineConfig(Bdevs.Bdev bdev) => _splits?.OnNewBdev(bdev);

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer)
    {
        foreach (var split in _splits?.All ?? []) split.WriteConfig(writer);
    }

    /// <inheritdoc/>
    public override ModuleUpgrade Upgrade => new SplitUpgrade(() => _splits ?? throw new SpindleException(Errno.EPROTO, "The module was not started."));

    private VirtualBdevs<SplitAssociation> Splits(IModuleContext context) => _splits ??= new VirtualBdevs<SplitAssociation>(context);
}
