using Spindle.Bdev.Crypto.Xts;

namespace Spindle.Bdev.Crypto.Keys;

/// <summary>The keys by name. On the app thread.</summary>
public sealed class CryptoKeys
{
    private readonly List<CryptoKey> _all = [];

    /// <summary>All keys, in the order in which they were made.</summary>
    public IReadOnlyList<CryptoKey> All => _all;

    /// <summary>The key of a name; null when there is none.</summary>
    public CryptoKey? Find(string name) => _all.Find(key => key.Name == name);

    /// <summary>Adds a key, or the secret to one that has been waiting for it. The secret is this object's from now on, and is erased when this fails.</summary>
    /// <exception cref="SpindleException">EEXIST: the name is taken.</exception>
    internal CryptoKey Add(string name, string? tweakMode, string? file, AesXtsKey? secret, string? owner = null)
    {
        if (Find(name) is { } known)
        {
            if (known.Secret is not null || secret is null)
            {
                secret?.Dispose();
                throw Taken(name);
            }
            known.Supply(secret, file);
            return known;
        }
        var key = new CryptoKey(name, tweakMode, file, secret, owner);
        _all.Add(key);
        return key;
    }

    /// <summary>Refuses a name that is taken.</summary>
    /// <exception cref="SpindleException">EEXIST.</exception>
    internal void CheckFree(string name)
    {
        if (Find(name) is { Secret: not null }) throw Taken(name);
    }

    /// <summary>Takes over a key from another version of the module.</summary>
    internal void Import(CryptoKey key) => _all.Add(key);

    /// <summary>Takes a key away and overwrites its secret. Nobody uses it any more.</summary>
    internal void Destroy(CryptoKey key)
    {
        _all.Remove(key);
        key.Destroy();
    }

    /// <summary>Overwrites all secrets.</summary>
    internal void DestroyAll()
    {
        foreach (var key in _all) key.Destroy();
        _all.Clear();
    }

    private static SpindleException Taken(string name) => new(Errno.EEXIST, $"Key name '{name}' is taken: choose another name, or destroy that key first (accel_crypto_key_destroy).");
}
