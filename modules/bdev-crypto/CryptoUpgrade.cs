using System.Security.Cryptography;
using Spindle.Bdev.Crypto.Keys;
using Spindle.Bdev.Crypto.Xts;
using Spindle.Modules;
using Spindle.Virtual;

namespace Spindle.Bdev.Crypto;

/// <summary>Hands the keys, and the open bases with their claims, to another version of the module. The copies of the secrets on the way are overwritten.</summary>
internal sealed class CryptoUpgrade(Func<IModuleContext?> context, CryptoKeys keys, Func<VirtualBdevs<CryptoAssociation>?> bdevs) : ModuleUpgrade
{
    private readonly List<byte[]> _secrets = [];

    /// <inheritdoc/>
    public override int StateVersion => 1;

    /// <inheritdoc/>
    public override void Export(UpgradeState state)
    {
        state.Set("keys", keys.All.Count);
        for (int i = 0; i < keys.All.Count; i++)
        {
            var key = keys.All[i];
            string prefix = $"key.{i}.";
            state.Set(prefix + "name", key.Name);
            if (key.TweakMode is not null) state.Set(prefix + "tweak_mode", key.TweakMode);
            if (key.File is not null) state.Set(prefix + "file", key.File);
            if (key.Owner is not null) state.Set(prefix + "owner", key.Owner);
            if (key.Secret is not { } secret) continue;
            state.Set(prefix + "key1", Copy(secret.Key1));
            state.Set(prefix + "key2", Copy(secret.Key2));
        }
        bdevs()?.Export(state, (association, prefix) =>
        {
            state.Set(prefix + "base", association.BaseName);
            state.Set(prefix + "name", association.Name);
            state.Set(prefix + "key", association.Key.Name);
        });
    }

    private byte[] Copy(ReadOnlySpan<byte> secret)
    {
        byte[] copy = GC.AllocateUninitializedArray<byte>(secret.Length, pinned: true);
        secret.CopyTo(copy);
        _secrets.Add(copy);
        return copy;
    }

    /// <inheritdoc/>
    public override void Import(UpgradeState state)
    {
        if (context() is not { } host || bdevs() is not { } own) throw new SpindleException(Errno.EPROTO, "The module was not started.");
        int count = state.Get<int>("keys");
        for (int i = 0; i < count; i++)
        {
            string prefix = $"key.{i}.";
            var secret = state.Has(prefix + "key1") ? new AesXtsKey(state.Get<byte[]>(prefix + "key1"), state.Get<byte[]>(prefix + "key2")) : null;
            keys.Import(new CryptoKey(state.Get<string>(prefix + "name"), state.Get<string?>(prefix + "tweak_mode", null), state.Get<string?>(prefix + "file", null), secret,
                state.Get<string?>(prefix + "owner", null)));
        }
        own.Import(state,
            prefix => new CryptoAssociation(state.Get<string>(prefix + "base"), state.Get<string>(prefix + "name"),
                keys.Find(state.Get<string>(prefix + "key")) ?? throw new SpindleException(Errno.EPROTO, $"The state has no key '{state.Get<string>(prefix + "key")}'."), host.Iobuf),
            (association, share, values) => association.MakeBdev(share, values.Uuid));
    }

    /// <inheritdoc/>
    public override void Commit() => Overwrite();

    /// <inheritdoc/>
    public override void Rollback() => Overwrite();

    /// <inheritdoc/>
    public override void Discard() => keys.DestroyAll();

    private void Overwrite()
    {
        foreach (byte[] secret in _secrets) CryptographicOperations.ZeroMemory(secret);
        _secrets.Clear();
    }
}
