using System.Buffers.Binary;

namespace Spindle.Blobs.Format;

/// <summary>What a mask counts.</summary>
internal enum MaskType : byte
{
    Pages = 0,
    Clusters = 1,
    Blobs = 2,
}

/// <summary>A mask on disk: a type, a number of bits, the bits from the lowest.</summary>
internal static class UsedMask
{
    /// <summary>Reads a mask; null when its header is not as it must be.</summary>
    public static BitSet? Decode(ReadOnlySpan<byte> bytes, MaskType type, uint bits)
    {
        if (bytes[0] != (byte)type) return null;
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(bytes[1..]);
        // A mask of clusters may be longer: a growth that was broken off.
        if (length < bits || (length > bits && type != MaskType.Clusters) || length > (ulong)(bytes.Length - StoreLayout.MaskHeader) * 8) return null;
        var set = new BitSet(bits);
        for (uint i = 0; i < bits; i++)
            if ((bytes[StoreLayout.MaskHeader + (int)(i / 8)] >> (int)(i % 8) & 1) != 0) set.Set(i);
        return set;
    }

    /// <summary>Writes a mask.</summary>
    public static byte[] Encode(MaskType type, BitSet set, int size)
    {
        byte[] bytes = new byte[size];
        bytes[0] = (byte)type;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(1), set.Length);
        for (uint i = 0; i < set.Length; i++)
            if (set[i]) bytes[StoreLayout.MaskHeader + (int)(i / 8)] |= (byte)(1 << (int)(i % 8));
        return bytes;
    }
}
