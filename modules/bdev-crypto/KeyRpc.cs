using System.Security.Cryptography;
using Spindle.Bdev.Crypto.Keys;
using Spindle.Bdev.Crypto.Xts;
using Spindle.Rpc;
using Spindle.Virtual;

namespace Spindle.Bdev.Crypto;

/// <summary>The parameters of <c>accel_crypto_key_create</c>.</summary>
[RpcObject]
public sealed class KeyCreateParameters
{
    /// <summary>The cipher.</summary>
    [RpcMember(Required = true, Summary = "Cipher: AES_XTS")]
    public string Cipher { get; set; } = "";

    /// <summary>The first key; overwritten when the call has ended.</summary>
    [RpcMember(Summary = "First key, for the data, in hexadecimal: 32 digits for AES-128, 64 for AES-256")]
    public string? Key { get; set; }

    /// <summary>The second key; overwritten when the call has ended.</summary>
    [RpcMember(Summary = "Second key, for the tweak, in hexadecimal; as long as the first one, and another")]
    public string? Key2 { get; set; }

    /// <summary>How the tweak is made of the block address.</summary>
    [RpcMember(Summary = "Tweak mode: SIMPLE_LBA, the default")]
    public string? TweakMode { get; set; }

    /// <summary>The name.</summary>
    [RpcMember(Required = true, Summary = "Key name")]
    public string Name { get; set; } = "";

    /// <summary>A file that holds both keys, in place of them.</summary>
    [RpcMember(Summary = "In place of the keys: absolute path of a file with both, in hexadecimal, that nobody but its owner may access")]
    public string? KeyFile { get; set; }

    /// <summary>The secret comes by another call of the same name.</summary>
    [RpcMember(Summary = "In place of the keys: they come later, by another call of the same name; what uses the key waits for them")]
    public bool Deferred { get; set; }
}

/// <summary>The parameters of <c>accel_crypto_keys_get</c>.</summary>
[RpcObject]
public sealed class KeysGetParameters
{
    /// <summary>One key only.</summary>
    [RpcMember(Summary = "Key name; all keys when absent")]
    public string? KeyName { get; set; }
}

/// <summary>The parameters of <c>accel_crypto_key_destroy</c>.</summary>
[RpcObject]
public sealed class KeyDestroyParameters
{
    /// <summary>The key.</summary>
    [RpcMember(Required = true, Summary = "Key name")]
    public string KeyName { get; set; } = "";
}

/// <summary>What is told of a key: all but the secret.</summary>
[RpcObject]
public sealed class KeyInfo
{
    /// <summary>Its name.</summary>
    public string Name { get; init; } = "";

    /// <summary>Its cipher.</summary>
    public string Cipher { get; init; } = "";

    /// <summary>The tweak mode that was asked for.</summary>
    public string? TweakMode { get; init; }

    /// <summary>The file that it was read from.</summary>
    public string? KeyFile { get; init; }

    /// <summary>True when its secret is to come yet.</summary>
    public bool? Deferred { get; init; }
}

/// <summary>The RPC methods for keys. No reply and no error has a part of a secret.</summary>
public sealed class KeyRpc(CryptoKeys keys, VirtualBdevs<CryptoAssociation> bdevs)
{
    private const string Undecoded = "spdk_json_decode_object failed";
    private static readonly string[] s_otherTweaks = ["JOIN_NEG_LBA_WITH_LBA", "INCR_512_FULL_LBA", "INCR_512_UPPER_LBA"];

    /// <summary>Makes a key, or supplies the secret of one that waits for it.</summary>
    /// <exception cref="RpcException">Invalid parameters: with SPDK's words, then the member and the remedy.</exception>
    [RpcMethod("accel_crypto_key_create", Summary = "Create a key for crypto bdevs.", ParameterErrorCode = RpcErrorCode.ParseError, ParameterErrorText = Undecoded)]
    public async Task<bool> CreateAsync(KeyCreateParameters parameters)
    {
        try
        {
            CheckSource(parameters);
            await AddAsync(parameters);
            return true;
        }
        catch (SpindleException e)
        {
            throw new RpcException(RpcErrorCode.InvalidParams, $"failed to create DEK, rc {-e.Errno}: {e.Message}");
        }
        finally
        {
            HexKey.Overwrite(parameters.Key);
            HexKey.Overwrite(parameters.Key2);
        }
    }

    private static void CheckSource(KeyCreateParameters parameters)
    {
        int sources = (parameters.Key is not null ? 1 : 0) + (parameters.KeyFile is not null ? 1 : 0) + (parameters.Deferred ? 1 : 0);
        if (sources == 0) throw new RpcException(RpcErrorCode.ParseError, $"{Undecoded}: params.key is missing; give key and key2, or key_file.");
        if (sources > 1 || (parameters.Key is null && parameters.Key2 is not null))
            throw new SpindleException(Errno.EINVAL, "the keys have one source only: key and key2, key_file, or deferred.");
    }

    private async Task AddAsync(KeyCreateParameters parameters)
    {
        if (parameters.Name.Length == 0) throw new SpindleException(Errno.EINVAL, "name is empty.");
        CheckCipher(parameters.Cipher);
        CheckTweak(parameters.TweakMode);
        if (!parameters.Deferred) keys.CheckFree(parameters.Name);
        var secret = parameters.KeyFile is { } file ? await KeyFile.ReadAsync(file) : parameters.Deferred ? null : Secret(parameters.Key!, parameters.Key2);
        var key = keys.Add(parameters.Name, parameters.TweakMode, parameters.KeyFile, secret);
        foreach (var waiting in bdevs.All.Where(bdev => bdev.Key == key).ToArray()) bdevs.BringUp(waiting);
    }

    /// <summary>Makes the secret of the digits in a call.</summary>
    /// <exception cref="SpindleException">EINVAL.</exception>
    internal static AesXtsKey Secret(string digits1, string? digits2)
    {
        Span<byte> key1 = stackalloc byte[AesXtsKey.MaxKeySize], key2 = stackalloc byte[AesXtsKey.MaxKeySize];
        try
        {
            int length1 = HexKey.Parse(digits1, "key", key1);
            if (digits2 is null) throw new SpindleException(Errno.EINVAL, "key2 is missing; AES_XTS takes two keys.");
            return CryptoKey.Make(key1[..length1], key2[..HexKey.Parse(digits2, "key2", key2)], "key", "key2");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key1);
            CryptographicOperations.ZeroMemory(key2);
        }
    }

    /// <summary>Refuses all ciphers but the one there is. What is no cipher's name is not repeated: it may be a key in the wrong place.</summary>
    /// <exception cref="SpindleException">EINVAL.</exception>
    internal static void CheckCipher(string cipher)
    {
        if (cipher == CryptoKey.AesXtsCipher) return;
        throw new SpindleException(Errno.EINVAL, cipher == "AES_CBC"
            ? "cipher AES_CBC is not supported: block addresses as initialization vectors give away what is equal. Use AES_XTS with key and key2."
            : "cipher is not known; it takes AES_XTS.");
    }

    private static void CheckTweak(string? mode)
    {
        if (mode is null or CryptoKey.SimpleLba) return;
        throw new SpindleException(Errno.EINVAL, s_otherTweaks.Contains(mode)
            ? $"tweak_mode {mode} is not supported; use {CryptoKey.SimpleLba}, or leave it out."
            : $"tweak_mode is not known; it takes {CryptoKey.SimpleLba}.");
    }

    /// <summary>Tells of the keys, not what they are.</summary>
    /// <exception cref="RpcException">Invalid parameters: there is no such key.</exception>
    [RpcMethod("accel_crypto_keys_get", Summary = "List keys, without their secrets.", ParameterErrorCode = RpcErrorCode.ParseError, ParameterErrorText = Undecoded)]
    public IReadOnlyList<KeyInfo> Get(KeysGetParameters parameters)
    {
        if (parameters.KeyName is not { } name) return [.. keys.All.Select(Describe)];
        return [Describe(keys.Find(name) ?? throw new RpcException(RpcErrorCode.InvalidParams, $"key was not found: there is no key '{name}'."))];
    }

    private static KeyInfo Describe(CryptoKey key) =>
        new() { Name = key.Name, Cipher = CryptoKey.AesXtsCipher, TweakMode = key.TweakMode, KeyFile = key.File, Deferred = key.Secret is null ? true : null };

    /// <summary>Destroys a key that nothing uses, and overwrites its secret.</summary>
    /// <exception cref="RpcException">Invalid parameters: there is no such key, or a bdev uses it.</exception>
    [RpcMethod("accel_crypto_key_destroy", Summary = "Destroy a key that no crypto bdev uses.", ParameterErrorCode = RpcErrorCode.ParseError, ParameterErrorText = Undecoded)]
    public bool Destroy(KeyDestroyParameters parameters)
    {
        var key = keys.Find(parameters.KeyName) ?? throw new RpcException(RpcErrorCode.InvalidParams, $"No key object found: there is no key '{parameters.KeyName}'.");
        var users = bdevs.All.Where(bdev => bdev.Key == key).Select(bdev => $"'{bdev.Name}'").ToArray();
        if (users.Length > 0)
        {
            throw new RpcException(RpcErrorCode.InvalidParams,
                $"Failed to destroy key, rc {-Errno.EBUSY}: it is used by {string.Join(", ", users)}; delete that first (bdev_crypto_delete).");
        }
        keys.Destroy(key);
        return true;
    }
}
