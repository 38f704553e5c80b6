using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Spindle.Bdev.Crypto.Keys;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Crypto;

/// <summary>Makes bdevs that are encrypted on the one below, and keeps their keys.</summary>
public sealed class CryptoModule : BdevModule
{
    private readonly CryptoKeys _keys = new();
    private IModuleContext? _context;
    private VirtualBdevs<CryptoAssociation>? _bdevs;

    /// <inheritdoc/>
    public override string Name => "bdev-crypto";

    /// <inheritdoc/>
    public override void ConfigureServices(IServiceCollection services) => services.AddSingleton(_keys)
        .AddSingleton(provider => Bdevs(provider.GetRequiredService<IModuleContext>())).AddSingleton<KeyRpc>().AddSingleton<CryptoRpc>();

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        Bdevs(context);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override void ExamineConfig(Bdevs.Bdev bdev) => _bdevs?.OnNewBdev(bdev);

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer)
    {
        foreach (var key in _keys.All)
        {
            writer.Call("accel_crypto_key_create", key.WriteConfig);
            if (key.File is null)
            {
                _context?.Logging.CreateLogger(Name).LogWarning("Key {Key} came in a call and is saved without its secret: what uses it waits after a restart until " +
                    "accel_crypto_key_create gives it again. With key_file it comes back by itself.", key.Name);
            }
        }
        foreach (var bdev in _bdevs?.All ?? []) writer.Call("bdev_crypto_create", bdev.WriteConfig);
    }

    /// <inheritdoc/>
    public override ModuleUpgrade Upgrade => new CryptoUpgrade(() => _context, _keys, () => _bdevs);

    /// <inheritdoc/>
    public override Task StopAsync(CancellationToken cancellationToken)
    {
        _keys.DestroyAll();
        return Task.CompletedTask;
    }

    private VirtualBdevs<CryptoAssociation> Bdevs(IModuleContext context)
    {
        _context = context;
        return _bdevs ??= new VirtualBdevs<CryptoAssociation>(context);
    }
}
