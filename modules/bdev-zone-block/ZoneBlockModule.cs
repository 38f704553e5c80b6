using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.ZoneBlock;

/// <summary>Makes zoned bdevs on bdevs that are not.</summary>
public sealed class ZoneBlockModule : BdevModule
{
    private IModuleContext? _context;
    private VirtualBdevs<ZoneBlockAssociation>? _all;

    /// <inheritdoc/>
    public override string Name => "bdev-zone-block";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) =>
        services.AddSingleton(provider => All(provider.GetRequiredService<IModuleContext>())).AddSingleton<ZoneBlockRpc>();

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        All(context);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override void ExamineConfig(Bdevs.Bdev bdev) => _all?.OnNewBdev(bdev);

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer)
    {
        foreach (var one in _all?.All ?? []) writer.Call("bdev_zone_block_create", one.Write);
    }

    /// <inheritdoc/>
    public override ModuleUpgrade Upgrade => new ZoneBlockUpgrade(() => _all is { } all && _context is { } context
        ? (all, context) : throw new SpindleException(Errno.EPROTO, "The module was not started."));

    private VirtualBdevs<ZoneBlockAssociation> All(IModuleContext context)
    {
        _context = context;
        return _all ??= new VirtualBdevs<ZoneBlockAssociation>(context);
    }
}
