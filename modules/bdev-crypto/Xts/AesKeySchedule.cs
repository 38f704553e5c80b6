using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.Intrinsics;
using X86Aes = System.Runtime.Intrinsics.X86.Aes;

namespace Spindle.Bdev.Crypto.Xts;

/// <summary>The round keys of AES (FIPS 197, 5.2), by instructions that take the same time whatever the key is.</summary>
internal static unsafe class AesKeySchedule
{
    /// <summary>Expands a key into its round keys for encryption, 16 bytes each.</summary>
    /// <param name="key">16 or 32 bytes.</param>
    /// <param name="target">16 * (rounds + 1) bytes.</param>
    internal static void Expand(ReadOnlySpan<byte> key, byte* target)
    {
        int keyWords = key.Length / 4, count = 4 * (keyWords + 7);
        var words = new Span<uint>(target, count);
        for (int i = 0; i < keyWords; i++) words[i] = BinaryPrimitives.ReadUInt32LittleEndian(key[(4 * i)..]);
        uint constant = 1;
        for (int i = keyWords; i < count; i++)
        {
            uint word = words[i - 1];
            if (i % keyWords == 0)
            {
                word = BitOperations.RotateRight(SubstituteBytes(word), 8) ^ constant;
                constant = (constant << 1) ^ (constant >> 7) * 0x11b;
            }
            else if (keyWords > 6 && i % keyWords == 4)
            {
                word = SubstituteBytes(word);
            }
            words[i] = words[i - keyWords] ^ word;
        }
    }

    /// <summary>Makes the round keys for decryption by the equivalent inverse cipher (FIPS 197, 5.3.5).</summary>
    internal static void Invert(byte* encryption, byte* decryption, int rounds)
    {
        for (int round = 0; round <= rounds; round++)
        {
            var key = Vector128.Load(encryption + (16 * (rounds - round)));
            if (round > 0 && round < rounds) key = X86Aes.InverseMixColumns(key);
            key.Store(decryption + (16 * round));
        }
    }

    private static uint SubstituteBytes(uint word) => X86Aes.KeygenAssist(Vector128.Create(0, word, 0, 0).AsByte(), 0).AsUInt32().ToScalar();
}
