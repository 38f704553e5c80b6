using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Spindle.ContractTests.Modules.Crypto;

/// <summary>AES-XTS as IEEE 1619 words it, a block at a time, on .NET's AES: slow, and independent of the module's.</summary>
public static class ReferenceXts
{
    /// <summary>Encrypts one data unit.</summary>
    public static byte[] Encrypt(byte[] key1, byte[] key2, UInt128 tweak, ReadOnlySpan<byte> plain)
    {
        using var data = Aes.Create();
        using var tweaks = Aes.Create();
        data.Key = key1;
        tweaks.Key = key2;
        byte[] number = new byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(number, tweak);
        var t = BinaryPrimitives.ReadUInt128LittleEndian(tweaks.EncryptEcb(number, PaddingMode.None));
        byte[] result = new byte[plain.Length];
        for (int at = 0; at < plain.Length; at += 16)
        {
            byte[] block = new byte[16];
            BinaryPrimitives.WriteUInt128LittleEndian(block, BinaryPrimitives.ReadUInt128LittleEndian(plain[at..]) ^ t);
            block = data.EncryptEcb(block, PaddingMode.None);
            BinaryPrimitives.WriteUInt128LittleEndian(result.AsSpan(at), BinaryPrimitives.ReadUInt128LittleEndian(block) ^ t);
            t = (t >> 127) != 0 ? (t << 1) ^ 0x87 : t << 1;
        }
        return result;
    }

    /// <summary>Encrypts the blocks of a disk, from an address on, as SPDK's software module does: 64 bits of zero, then the address.</summary>
    public static byte[] EncryptDisk(byte[] key1, byte[] key2, ulong address, int blockSize, byte[] plain)
    {
        byte[] result = new byte[plain.Length];
        for (int at = 0; at < plain.Length; at += blockSize, address++)
            Encrypt(key1, key2, new UInt128(address, 0), plain.AsSpan(at, blockSize)).CopyTo(result, at);
        return result;
    }
}
