using System.Security.Cryptography;
using Spindle.Bdev.Crypto.Xts;
using Spindle.Rpc;

namespace Spindle.Bdev.Crypto.Keys;

/// <summary>A key by its name. Nothing that it writes or says has a part of the secret. On the app thread.</summary>
public sealed class CryptoKey
{
    /// <summary>The cipher that there is.</summary>
    public const string AesXtsCipher = "AES_XTS";

    /// <summary>The tweak that there is.</summary>
    public const string SimpleLba = "SIMPLE_LBA";

    internal CryptoKey(string name, string? tweakMode, string? file, AesXtsKey? secret, string? owner = null)
    {
        Name = name;
        TweakMode = tweakMode;
        File = file;
        Secret = secret;
        Owner = owner;
    }

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>The tweak as it was asked for; null when it was left to the default.</summary>
    public string? TweakMode { get; }

    /// <summary>The file that it was read from; null when it came in a call.</summary>
    public string? File { get; private set; }

    /// <summary>The bdev that it was made for, by <c>bdev_crypto_create</c> itself, and goes with; null for others.</summary>
    public string? Owner { get; }

    /// <summary>The secret; null as long as it is to come later.</summary>
    internal AesXtsKey? Secret { get; private set; }

    /// <summary>The secret has come.</summary>
    internal void Supply(AesXtsKey secret, string? file)
    {
        Secret = secret;
        File = file;
    }

    internal void Destroy()
    {
        Secret?.Dispose();
        Secret = null;
    }

    /// <summary>Makes the secret, and says by the members' names what is wrong with it.</summary>
    /// <exception cref="SpindleException">EINVAL.</exception>
    internal static AesXtsKey Make(ReadOnlySpan<byte> key1, ReadOnlySpan<byte> key2, string member1, string member2)
    {
        if (key1.Length != key2.Length) throw new SpindleException(Errno.EINVAL, $"{member1} has {key1.Length} bytes, {member2} {key2.Length}; both must be of the same length.");
        if (CryptographicOperations.FixedTimeEquals(key1, key2))
            throw new SpindleException(Errno.EINVAL, $"{member1} and {member2} are the same, which makes XTS insecure; make two keys of their own.");
        return new AesXtsKey(key1, key2);
    }

    /// <summary>Writes the parameters of the call that makes it again; without the secret.</summary>
    internal void WriteConfig(IRpcWriter writer)
    {
        writer.Name("name");
        writer.String(Name);
        writer.Name("cipher");
        writer.String(AesXtsCipher);
        if (TweakMode is not null)
        {
            writer.Name("tweak_mode");
            writer.String(TweakMode);
        }
        if (File is not null)
        {
            writer.Name("key_file");
            writer.String(File);
        }
        else
        {
            writer.Name("deferred");
            writer.Boolean(true);
        }
    }
}
