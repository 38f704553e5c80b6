using System.Text;
using Spindle.Blobs;
using Spindle.Blobs.Format;

namespace Spindle.Bdev.Lvol;

/// <summary>A logical volume: a blob with a name and an identity. On the app thread.</summary>
public sealed class Lvol
{
    /// <summary>Characters of a name of a volume or a store.</summary>
    public const int MostNameBytes = 63;

    internal Lvol(LvolStore store, Blob blob)
    {
        Store = store;
        Blob = blob;
        Name = TextOf(blob.Xattr("name"));
        Uuid = Guid.TryParseExact(TextOf(blob.Xattr("uuid")), "D", out var uuid) ? uuid : Guid.Empty;
        // As in SPDK, where a volume made by a very early version has none.
        Id = Uuid == Guid.Empty ? $"{store.Uuid:D}_{blob.Id}" : Uuid.ToString("D");
    }

    /// <summary>Its store.</summary>
    public LvolStore Store { get; }
    /// <summary>Its data.</summary>
    public Blob Blob { get; }
    /// <summary>Its name, unique in the store.</summary>
    public string Name { get; internal set; }
    /// <summary>Its identity.</summary>
    public Guid Uuid { get; }
    /// <summary>The name of its bdev.</summary>
    public string Id { get; }
    /// <summary>The other name of its bdev.</summary>
    public string Alias => $"{Store.Name}/{Name}";
    /// <summary>Its bdev; null while it is degraded from the start.</summary>
    public LvolBdev? Bdev { get; internal set; }

    internal static string TextOf(byte[]? value)
    {
        if (value is null) return "";
        int end = Array.IndexOf(value, (byte)0);
        return Encoding.UTF8.GetString(value, 0, end < 0 ? value.Length : end);
    }

    internal static byte[] NameValue(string name) => Encoding.UTF8.GetBytes(name + '\0');

    internal static byte[] UuidValue(Guid uuid) => Encoding.ASCII.GetBytes(uuid.ToString("D") + '\0');

    internal static BlobXattr[] Xattrs(string name)
    {
        // As long as SPDK makes it.
        byte[] value = new byte[MostNameBytes + 1];
        Encoding.UTF8.GetBytes(name, value);
        return [new BlobXattr("name", value), new BlobXattr("uuid", UuidValue(Guid.NewGuid()))];
    }

    /// <exception cref="SpindleException">EINVAL: it is empty or too long.</exception>
    internal static void CheckName(string name, string parameter)
    {
        if (name.Length == 0 || name.Contains('\0') || Encoding.UTF8.GetByteCount(name) > MostNameBytes)
            throw new SpindleException(Errno.EINVAL, $"{parameter} must have 1 to {MostNameBytes} bytes.");
    }
}
