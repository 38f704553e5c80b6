using Spindle.Bdev.Crypto.Keys;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Crypto;

/// <summary>A crypto bdev that is there, or will be with its base and the secret of its key.</summary>
/// <param name="baseName">The base.</param>
/// <param name="name">Its name.</param>
/// <param name="key">Its key.</param>
/// <param name="iobuf">Where buffers come from.</param>
public sealed class CryptoAssociation(string baseName, string name, CryptoKey key, IIobuf iobuf) : VirtualAssociation(baseName)
{
    // The name space that SPDK's crypto bdevs derive their identity in.
    private static readonly Guid UuidNamespace = new("078e3cf7-f4b4-4545-b2c3-d40045a64ae2");

    /// <summary>Its name.</summary>
    public string Name => name;

    /// <summary>Its key.</summary>
    public CryptoKey Key => key;

    /// <inheritdoc/>
    public override bool IsReady => key.Secret is not null;

    /// <inheritdoc/>
    protected override IReadOnlyList<VirtualBdev> Make(BaseShare share) => [MakeBdev(share, DerivedUuid.Of(UuidNamespace, share.Base.Uuid))];

    internal CryptoBdev MakeBdev(BaseShare share, Guid uuid) => new(name, share, uuid, key, iobuf);

    /// <inheritdoc/>
    protected override void OnBaseResized(IBdevRegistry registry)
    {
        foreach (var bdev in Bdevs) registry.Resize(bdev, bdev.Base.BlockCount);
    }

    /// <summary>Writes the parameters of <c>bdev_crypto_create</c>.</summary>
    internal void WriteConfig(IRpcWriter writer)
    {
        writer.Name("base_bdev_name");
        writer.String(Bdevs.Count > 0 ? Bdevs[0].Base.Name : BaseName);
        writer.Name("name");
        writer.String(name);
        writer.Name("key_name");
        writer.String(key.Name);
    }
}
