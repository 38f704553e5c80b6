using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Delay;

/// <summary>Makes bdevs that complete the I/O of another one late.</summary>
public sealed class DelayModule : BdevModule
{
    private VirtualBdevs<DelayAssociation>? _delays;

    /// <inheritdoc/>
    public override string Name => "bdev-delay";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) =>
        services.AddSingleton(provider => Delays(provider.GetRequiredService<IModuleContext>())).AddSingleton<DelayRpc>();

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        Delays(context);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override void ExamineConfig(Bdevs.Bdev bdev) => _delays?.OnNewBdev(bdev);

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer)
    {
        foreach (var delay in _delays?.All ?? []) writer.Call("bdev_delay_create", delay.Write);
    }

    /// <inheritdoc/>
    public override ModuleUpgrade Upgrade => new DelayUpgrade(() => _delays ?? throw new SpindleException(Errno.EPROTO, "The module was not started."));

    private VirtualBdevs<DelayAssociation> Delays(IModuleContext context) => _delays ??= new VirtualBdevs<DelayAssociation>(context);
}
