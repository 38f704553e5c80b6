using Microsoft.Extensions.Logging;
using Spindle.Bdev.Crypto.Keys;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Crypto;

/// <summary>The parameters of <c>bdev_crypto_create</c>.</summary>
[RpcObject]
public sealed class CryptoCreateParameters
{
    /// <summary>The bdev below, which may appear later.</summary>
    [RpcMember(Required = true, Summary = "Base bdev name; it may appear later")]
    public string BaseBdevName { get; set; } = "";

    /// <summary>The name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name to use")]
    public string Name { get; set; } = "";

    /// <summary>Without meaning.</summary>
    [RpcMember(Summary = "Obsolete, without meaning")]
    public string? CryptoPmd { get; set; }

    /// <summary>The first key; overwritten when the call has ended.</summary>
    [RpcMember(Summary = "Obsolete, see accel_crypto_key_create: first key in hexadecimal")]
    public string? Key { get; set; }

    /// <summary>The cipher.</summary>
    [RpcMember(Summary = "Obsolete, see accel_crypto_key_create: cipher of the keys given here, AES_XTS")]
    public string? Cipher { get; set; }

    /// <summary>The second key; overwritten when the call has ended.</summary>
    [RpcMember(Summary = "Obsolete, see accel_crypto_key_create: second key in hexadecimal")]
    public string? Key2 { get; set; }

    /// <summary>The key.</summary>
    [RpcMember(Summary = "Name of the key, made by accel_crypto_key_create")]
    public string? KeyName { get; set; }
}

/// <summary>The parameters of <c>bdev_crypto_delete</c>.</summary>
[RpcObject]
public sealed class CryptoDeleteParameters
{
    /// <summary>The bdev's name.</summary>
    [RpcMember(Required = true, Summary = "Bdev name")]
    public string Name { get; set; } = "";
}

/// <summary>The RPC methods for crypto bdevs.</summary>
public sealed class CryptoRpc(CryptoKeys keys, VirtualBdevs<CryptoAssociation> crypto, IBdevRegistry bdevs, IIobuf iobuf, ILogger<CryptoRpc> log)
{
    /// <summary>Puts a bdev on another one, now or when that one and the key's secret are there, and returns its name.</summary>
    /// <exception cref="RpcException">Invalid parameters: there is no such key, or the one given here is not valid.</exception>
    /// <exception cref="SpindleException">EEXIST: the name is taken. EPERM: the base is claimed. EINVAL, ENOTSUP: the base does not fit.</exception>
    [RpcMethod("bdev_crypto_create", Summary = "Create a bdev that is encrypted on another one; returns its name.",
        ParameterErrorCode = RpcErrorCode.ParseError, ParameterErrorText = "Failed to decode crypto disk create parameters.")]
    public string Create(CryptoCreateParameters parameters)
    {
        try
        {
            return CreateWith(parameters);
        }
        finally
        {
            HexKey.Overwrite(parameters.Key);
            HexKey.Overwrite(parameters.Key2);
        }
    }

    private string CreateWith(CryptoCreateParameters parameters)
    {
        string name = parameters.Name;
        if (name.Length == 0) throw new SpindleException(Errno.EINVAL, "name is empty.");
        if (parameters.BaseBdevName.Length == 0) throw new SpindleException(Errno.EINVAL, "base_bdev_name is empty.");
        if (crypto.All.Any(c => c.Name == name) || bdevs.Find(name) is not null)
            throw new SpindleException(Errno.EEXIST, $"Bdev name '{name}' is taken: choose another name.");
        var key = FindKey(parameters) ?? MakeKey(parameters);
        try
        {
            crypto.Add(new CryptoAssociation(parameters.BaseBdevName, name, key, iobuf));
        }
        catch
        {
            if (key.Owner == name) keys.Destroy(key);
            throw;
        }
        if (key.Secret is null) log.LogInformation("{Name} waits for key {Key} (accel_crypto_key_create)", name, key.Name);
        return name;
    }

    private CryptoKey? FindKey(CryptoCreateParameters parameters)
    {
        if (parameters.KeyName is { } keyName)
        {
            if (keys.Find(keyName) is not { } key)
                throw new RpcException(RpcErrorCode.InvalidParams, $"Key was not found: there is no key '{keyName}'; make it first (accel_crypto_key_create).");
            if (parameters.Key is not null || parameters.Key2 is not null || parameters.Cipher is not null)
                log.LogInformation("key_name is given, so key, key2 and cipher are passed over");
            return key;
        }
        return parameters.Key is null && parameters.Cipher is { } cipher ? keys.Find(OwnKeyName(parameters, cipher)) : null;
    }

    // As SPDK did before there were keys with names: one is made for this bdev, and goes with it.
    private CryptoKey MakeKey(CryptoCreateParameters parameters)
    {
        if (parameters.Key is not { } digits)
            throw new RpcException(RpcErrorCode.InternalError, "No key was found: give key_name, the name of a key (accel_crypto_key_create).");
        try
        {
            // SPDK's default.
            KeyRpc.CheckCipher(parameters.Cipher ?? "AES_CBC");
            return keys.Add(OwnKeyName(parameters, CryptoKey.AesXtsCipher), null, null, KeyRpc.Secret(digits, parameters.Key2), owner: parameters.Name);
        }
        catch (SpindleException e)
        {
            throw new RpcException(RpcErrorCode.InternalError, $"No key was found: {e.Message}");
        }
    }

    private static string OwnKeyName(CryptoCreateParameters parameters, string cipher) => $"{parameters.Name}_{cipher}";

    /// <summary>Deletes one, or forgets one that waits.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev.</exception>
    [RpcMethod("bdev_crypto_delete", Summary = "Delete a crypto bdev.", ParameterErrorCode = RpcErrorCode.InvalidParams, ParameterErrorText = "Invalid parameters")]
    public async Task<bool> DeleteAsync(CryptoDeleteParameters parameters)
    {
        var found = crypto.All.FirstOrDefault(c => c.Name == parameters.Name) ??
            (bdevs.Find(parameters.Name) is CryptoBdev bdev ? crypto.All.FirstOrDefault(c => c.Bdevs.Contains(bdev)) : null) ??
            throw new SpindleException(Errno.ENODEV, $"There is no crypto bdev '{parameters.Name}'.");
        await crypto.DeleteAsync(found);
        if (found.Key.Owner == found.Name && crypto.All.All(c => c.Key != found.Key)) keys.Destroy(found.Key);
        return true;
    }
}
