using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;
using Spindle.Blobs.Format;
using Spindle.Blobs.Images;

namespace Spindle.ContractTests.Blobstore;

/// <summary>Reads stores as bytes, without the data path: what is found here and what it reads must be the same.</summary>
internal static class StoredImage
{
    public static byte[] Embedded(string name)
    {
        using var stream = typeof(StoredImage).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"no resource {name}");
        using var unpacked = new GZipStream(stream, CompressionMode.Decompress);
        var bytes = new MemoryStream();
        unpacked.CopyTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>Blocks of 4096 bytes of a numbered pattern.</summary>
    public static byte[] Pattern(int number, int blocks)
    {
        byte[] bytes = new byte[blocks * 4096];
        for (int at = 0; at < bytes.Length; at += 8) BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), (ulong)number << 32 | (uint)((at / 4096) + 1));
        return bytes;
    }

    public static string Sum(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>The name that the store's user gave a blob.</summary>
    public static string NameOf(BlobRecord blob) => blob.Xattr("name") is { } name ? System.Text.Encoding.UTF8.GetString(name).TrimEnd('\0') : "";

    /// <summary>What a blob reads as.</summary>
    public static byte[] Content(StoreImage image, BlobRecord blob, byte[] device, byte[]? outside = null)
    {
        int cluster = (int)image.Layout.ClusterSize;
        byte[] bytes = new byte[blob.ClusterCount * (uint)cluster];
        for (int i = 0; i < blob.ClusterCount; i++)
        {
            var at = blob;
            while (i < at.Clusters.Length && at.Clusters[i] == 0 && at.ParentId is { } parent) at = image.Blobs[parent];
            var to = bytes.AsSpan(i * cluster, cluster);
            if (i < at.Clusters.Length && at.Clusters[i] != 0) device.AsSpan((int)at.Clusters[i] * cluster, cluster).CopyTo(to);
            else if (i < at.Clusters.Length && at.IsExternalClone && outside is not null && i * cluster < outside.Length)
                outside.AsSpan(i * cluster, Math.Min(cluster, outside.Length - (i * cluster))).CopyTo(to);
        }
        return bytes;
    }
}
