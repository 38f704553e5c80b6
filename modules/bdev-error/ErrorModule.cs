using Microsoft.Extensions.DependencyInjection;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Error;

/// <summary>Makes bdevs that fail, hang or corrupt the I/O of another one on demand.</summary>
public sealed class ErrorModule : BdevModule
{
    private VirtualBdevs<ErrorAssociation>? _errors;

    /// <inheritdoc/>
    public override string Name => "bdev-error";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) =>
        services.AddSingleton(provider => Errors(provider.GetRequiredService<IModuleContext>())).AddSingleton<ErrorRpc>();

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        Errors(context);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override void ExamineConfig(Bdevs.Bdev bdev) => _errors?.OnNewBdev(bdev);

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer)
    {
        foreach (var error in _errors?.All ?? []) error.WriteConfig(writer);
    }

    /// <inheritdoc/>
    public override ModuleUpgrade Upgrade => new ErrorUpgrade(() => _errors ?? throw new SpindleException(Errno.EPROTO, "The module was not started."));

    private VirtualBdevs<ErrorAssociation> Errors(IModuleContext context) => _errors ??= new VirtualBdevs<ErrorAssociation>(context);
}
