using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using X86Aes = System.Runtime.Intrinsics.X86.Aes;

namespace Spindle.Bdev.Crypto.Xts;

/// <summary>AES-XTS by the processor's AES instructions. Eight blocks are under way at once: an instruction takes four cycles or so, but two can be started in each.</summary>
/// <param name="key">The keys.</param>
internal sealed unsafe class AesNiXts(AesXtsKey key) : AesXts(key)
{
    private const int Lanes = 8;

    private readonly byte* _encryption = key.DataEncryption;
    private readonly byte* _decryption = key.DataDecryption;
    private readonly byte* _tweak = key.TweakEncryption;
    private readonly int _rounds = key.Rounds;

    /// <inheritdoc/>
    [DataPath, SkipLocalsInit]
    public override void Encrypt(byte* source, byte* target, uint unitSize, uint units, ulong address, ulong low = 0)
    {
        byte* tweaks = stackalloc byte[16 * Lanes];
        while (units > 0)
        {
            uint batch = Math.Min(units, Lanes);
            FirstTweaks(tweaks, batch, address, low);
            for (uint i = 0; i < batch; i++)
            {
                EncryptUnit(source, target, unitSize, Vector128.Load(tweaks + (16 * i)), _encryption, _rounds);
                source += unitSize;
                target += unitSize;
            }
            address += batch;
            units -= batch;
        }
    }

    /// <inheritdoc/>
    [DataPath, SkipLocalsInit]
    public override void Decrypt(byte* source, byte* target, uint unitSize, uint units, ulong address, ulong low = 0)
    {
        byte* tweaks = stackalloc byte[16 * Lanes];
        while (units > 0)
        {
            uint batch = Math.Min(units, Lanes);
            FirstTweaks(tweaks, batch, address, low);
            for (uint i = 0; i < batch; i++)
            {
                DecryptUnit(source, target, unitSize, Vector128.Load(tweaks + (16 * i)), _decryption, _rounds);
                source += unitSize;
                target += unitSize;
            }
            address += batch;
            units -= batch;
        }
    }

    // Those of several units at once: alone, each would wait for all rounds of its own.
    [DataPath]
    private void FirstTweaks(byte* tweaks, uint count, ulong address, ulong low)
    {
        byte* keys = _tweak;
        int rounds = _rounds;
        if (count == 1)
        {
            var block = Vector128.Create(low, address).AsByte() ^ Vector128.Load(keys);
            for (int round = 1; round < rounds; round++) block = X86Aes.Encrypt(block, Vector128.Load(keys + (16 * round)));
            X86Aes.EncryptLast(block, Vector128.Load(keys + (16 * rounds))).Store(tweaks);
            return;
        }
        var k = Vector128.Load(keys);
        var b0 = Vector128.Create(low, address).AsByte() ^ k;
        var b1 = Vector128.Create(low, address + 1).AsByte() ^ k;
        var b2 = Vector128.Create(low, address + 2).AsByte() ^ k;
        var b3 = Vector128.Create(low, address + 3).AsByte() ^ k;
        var b4 = Vector128.Create(low, address + 4).AsByte() ^ k;
        var b5 = Vector128.Create(low, address + 5).AsByte() ^ k;
        var b6 = Vector128.Create(low, address + 6).AsByte() ^ k;
        var b7 = Vector128.Create(low, address + 7).AsByte() ^ k;
        for (int round = 1; round < rounds; round++)
        {
            k = Vector128.Load(keys + (16 * round));
            b0 = X86Aes.Encrypt(b0, k);
            b1 = X86Aes.Encrypt(b1, k);
            b2 = X86Aes.Encrypt(b2, k);
            b3 = X86Aes.Encrypt(b3, k);
            b4 = X86Aes.Encrypt(b4, k);
            b5 = X86Aes.Encrypt(b5, k);
            b6 = X86Aes.Encrypt(b6, k);
            b7 = X86Aes.Encrypt(b7, k);
        }
        k = Vector128.Load(keys + (16 * rounds));
        X86Aes.EncryptLast(b0, k).Store(tweaks);
        X86Aes.EncryptLast(b1, k).Store(tweaks + 16);
        X86Aes.EncryptLast(b2, k).Store(tweaks + 32);
        X86Aes.EncryptLast(b3, k).Store(tweaks + 48);
        X86Aes.EncryptLast(b4, k).Store(tweaks + 64);
        X86Aes.EncryptLast(b5, k).Store(tweaks + 80);
        X86Aes.EncryptLast(b6, k).Store(tweaks + 96);
        X86Aes.EncryptLast(b7, k).Store(tweaks + 112);
    }

    [DataPath]
    private static void EncryptUnit(byte* source, byte* target, uint length, Vector128<byte> t0, byte* keys, int rounds)
    {
        uint left = length;
        if (left >= 16 * Lanes)
        {
            var t1 = Double(t0);
            var t2 = Double(t1);
            var t3 = Double(t2);
            var t4 = Double(t3);
            var t5 = Double(t4);
            var t6 = Double(t5);
            var t7 = Double(t6);
            do
            {
                var k = Vector128.Load(keys);
                var b0 = Vector128.Load(source) ^ t0 ^ k;
                var b1 = Vector128.Load(source + 16) ^ t1 ^ k;
                var b2 = Vector128.Load(source + 32) ^ t2 ^ k;
                var b3 = Vector128.Load(source + 48) ^ t3 ^ k;
                var b4 = Vector128.Load(source + 64) ^ t4 ^ k;
                var b5 = Vector128.Load(source + 80) ^ t5 ^ k;
                var b6 = Vector128.Load(source + 96) ^ t6 ^ k;
                var b7 = Vector128.Load(source + 112) ^ t7 ^ k;
                for (int round = 1; round < rounds; round++)
                {
                    k = Vector128.Load(keys + (16 * round));
                    b0 = X86Aes.Encrypt(b0, k);
                    b1 = X86Aes.Encrypt(b1, k);
                    b2 = X86Aes.Encrypt(b2, k);
                    b3 = X86Aes.Encrypt(b3, k);
                    b4 = X86Aes.Encrypt(b4, k);
                    b5 = X86Aes.Encrypt(b5, k);
                    b6 = X86Aes.Encrypt(b6, k);
                    b7 = X86Aes.Encrypt(b7, k);
                }
                // The last step of a round is to xor its key: the tweak goes with it.
                k = Vector128.Load(keys + (16 * rounds));
                X86Aes.EncryptLast(b0, k ^ t0).Store(target);
                X86Aes.EncryptLast(b1, k ^ t1).Store(target + 16);
                X86Aes.EncryptLast(b2, k ^ t2).Store(target + 32);
                X86Aes.EncryptLast(b3, k ^ t3).Store(target + 48);
                X86Aes.EncryptLast(b4, k ^ t4).Store(target + 64);
                X86Aes.EncryptLast(b5, k ^ t5).Store(target + 80);
                X86Aes.EncryptLast(b6, k ^ t6).Store(target + 96);
                X86Aes.EncryptLast(b7, k ^ t7).Store(target + 112);
                t0 = Double(t7); // a chain, but beside the rounds, which do not wait for it
                t1 = Double(t0);
                t2 = Double(t1);
                t3 = Double(t2);
                t4 = Double(t3);
                t5 = Double(t4);
                t6 = Double(t5);
                t7 = Double(t6);
                source += 16 * Lanes;
                target += 16 * Lanes;
                left -= 16 * Lanes;
            }
            while (left >= 16 * Lanes);
        }
        for (; left > 0; left -= 16, source += 16, target += 16, t0 = Double(t0))
        {
            var block = Vector128.Load(source) ^ t0 ^ Vector128.Load(keys);
            for (int round = 1; round < rounds; round++) block = X86Aes.Encrypt(block, Vector128.Load(keys + (16 * round)));
            X86Aes.EncryptLast(block, Vector128.Load(keys + (16 * rounds)) ^ t0).Store(target);
        }
    }

    [DataPath]
    private static void DecryptUnit(byte* source, byte* target, uint length, Vector128<byte> t0, byte* keys, int rounds)
    {
        uint left = length;
        if (left >= 16 * Lanes)
        {
            var t1 = Double(t0);
            var t2 = Double(t1);
            var t3 = Double(t2);
            var t4 = Double(t3);
            var t5 = Double(t4);
            var t6 = Double(t5);
            var t7 = Double(t6);
            do
            {
                var k = Vector128.Load(keys);
                var b0 = Vector128.Load(source) ^ t0 ^ k;
                var b1 = Vector128.Load(source + 16) ^ t1 ^ k;
                var b2 = Vector128.Load(source + 32) ^ t2 ^ k;
                var b3 = Vector128.Load(source + 48) ^ t3 ^ k;
                var b4 = Vector128.Load(source + 64) ^ t4 ^ k;
                var b5 = Vector128.Load(source + 80) ^ t5 ^ k;
                var b6 = Vector128.Load(source + 96) ^ t6 ^ k;
                var b7 = Vector128.Load(source + 112) ^ t7 ^ k;
                for (int round = 1; round < rounds; round++)
                {
                    k = Vector128.Load(keys + (16 * round));
                    b0 = X86Aes.Decrypt(b0, k);
                    b1 = X86Aes.Decrypt(b1, k);
                    b2 = X86Aes.Decrypt(b2, k);
                    b3 = X86Aes.Decrypt(b3, k);
                    b4 = X86Aes.Decrypt(b4, k);
                    b5 = X86Aes.Decrypt(b5, k);
                    b6 = X86Aes.Decrypt(b6, k);
                    b7 = X86Aes.Decrypt(b7, k);
                }
                k = Vector128.Load(keys + (16 * rounds));
                X86Aes.DecryptLast(b0, k ^ t0).Store(target);
                X86Aes.DecryptLast(b1, k ^ t1).Store(target + 16);
                X86Aes.DecryptLast(b2, k ^ t2).Store(target + 32);
                X86Aes.DecryptLast(b3, k ^ t3).Store(target + 48);
                X86Aes.DecryptLast(b4, k ^ t4).Store(target + 64);
                X86Aes.DecryptLast(b5, k ^ t5).Store(target + 80);
                X86Aes.DecryptLast(b6, k ^ t6).Store(target + 96);
                X86Aes.DecryptLast(b7, k ^ t7).Store(target + 112);
                t0 = Double(t7); // a chain, but beside the rounds, which do not wait for it
                t1 = Double(t0);
                t2 = Double(t1);
                t3 = Double(t2);
                t4 = Double(t3);
                t5 = Double(t4);
                t6 = Double(t5);
                t7 = Double(t6);
                source += 16 * Lanes;
                target += 16 * Lanes;
                left -= 16 * Lanes;
            }
            while (left >= 16 * Lanes);
        }
        for (; left > 0; left -= 16, source += 16, target += 16, t0 = Double(t0))
        {
            var block = Vector128.Load(source) ^ t0 ^ Vector128.Load(keys);
            for (int round = 1; round < rounds; round++) block = X86Aes.Decrypt(block, Vector128.Load(keys + (16 * round)));
            X86Aes.DecryptLast(block, Vector128.Load(keys + (16 * rounds)) ^ t0).Store(target);
        }
    }

    /// <summary>Times x modulo x^128 + x^7 + x^2 + x + 1 (IEEE 1619, 5.2).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Double(Vector128<byte> tweak)
    {
        // The highest bits of the upper and the lower half, each where it is needed next.
        var carries = Sse2.ShiftRightArithmetic(Sse2.Shuffle(tweak.AsInt32(), 0x13), 31) & Vector128.Create(0x87, 0, 1, 0);
        return (tweak.AsUInt64() + tweak.AsUInt64()).AsByte() ^ carries.AsByte();
    }
}
