using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Spindle.Virtual;

/// <summary>Version 5 UUIDs (RFC 9562, 5.5) from a base bdev's, over the name spaces that SPDK uses: the same base gives the same identity.</summary>
public static class DerivedUuid
{
    // The name space of SPDK's partition-like bdevs.
    private static readonly Guid PartNamespace = new("976b899e-3e1e-4d71-ab69-c2b08e9df8b8");

    /// <summary>The identity of a bdev that shows all of its base.</summary>
    public static Guid Of(Guid nameSpace, Guid baseUuid)
    {
        Span<byte> name = stackalloc byte[16];
        baseUuid.TryWriteBytes(name, bigEndian: true, out _);
        return Of(nameSpace, name);
    }

    /// <summary>The identity of a range of a bdev's blocks.</summary>
    public static Guid OfPart(Guid baseUuid, ulong offsetBlocks, ulong blockCount)
    {
        Span<byte> name = stackalloc byte[32];
        baseUuid.TryWriteBytes(name, bigEndian: true, out _);
        BinaryPrimitives.WriteUInt64LittleEndian(name[16..], offsetBlocks);
        BinaryPrimitives.WriteUInt64LittleEndian(name[24..], blockCount);
        return Of(PartNamespace, name);
    }

    private static Guid Of(Guid nameSpace, ReadOnlySpan<byte> name)
    {
        Span<byte> text = stackalloc byte[48], hash = stackalloc byte[20];
        nameSpace.TryWriteBytes(text, bigEndian: true, out _);
        name.CopyTo(text[16..]);
#pragma warning disable CA5350 // an identity, not a secret
        SHA1.HashData(text[..(16 + name.Length)], hash);
#pragma warning restore CA5350
        hash[6] = (byte)(hash[6] & 0x0f | 0x50);
        hash[8] = (byte)(hash[8] & 0x3f | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }
}
