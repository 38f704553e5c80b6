using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Spindle.Bdev.Crypto.Xts;

/// <summary>AES-XTS where the processor has no instructions for AES that .NET knows: .NET's AES encrypts the blocks.</summary>
internal sealed unsafe class PortableXts : AesXts
{
    // What .NET's AES is handed at once, so that the way there is paid for seldom.
    private const int Chunk = 4096;

    private readonly ICryptoTransform _encryption;
    private readonly ICryptoTransform _decryption;
    private readonly ICryptoTransform _tweak;
    private readonly byte[] _first = new byte[16];
    private readonly byte[] _data = GC.AllocateArray<byte>(Chunk, pinned: true);
    private readonly ulong[] _tweaks = new ulong[Chunk / 8];

    /// <param name="key">The keys, which .NET's AES copies.</param>
    internal PortableXts(AesXtsKey key) : base(key)
    {
        using var data = Create(key.Key1);
        using var tweak = Create(key.Key2);
        _encryption = data.CreateEncryptor();
        _decryption = data.CreateDecryptor();
        _tweak = tweak.CreateEncryptor();
    }

    private static Aes Create(ReadOnlySpan<byte> key)
    {
        var aes = Aes.Create();
        aes.Mode = CipherMode.ECB;
        aes.Padding = PaddingMode.None;
        byte[] copy = GC.AllocateUninitializedArray<byte>(key.Length, pinned: true);
        key.CopyTo(copy);
        aes.Key = copy;
        CryptographicOperations.ZeroMemory(copy);
        return aes;
    }

    /// <inheritdoc/>
    [DataPath]
    public override void Encrypt(byte* source, byte* target, uint unitSize, uint units, ulong address, ulong low = 0) =>
        Run(_encryption, source, target, unitSize, units, address, low);

    /// <inheritdoc/>
    [DataPath]
    public override void Decrypt(byte* source, byte* target, uint unitSize, uint units, ulong address, ulong low = 0) =>
        Run(_decryption, source, target, unitSize, units, address, low);

    [DataPath]
    private void Run(ICryptoTransform cipher, byte* source, byte* target, uint unitSize, uint units, ulong address, ulong firstLow)
    {
        for (; units > 0; units--, address++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_first, firstLow);
            BinaryPrimitives.WriteUInt64LittleEndian(_first.AsSpan(8), address);
            _tweak.TransformBlock(_first, 0, 16, _first, 0);
            ulong low = BinaryPrimitives.ReadUInt64LittleEndian(_first), high = BinaryPrimitives.ReadUInt64LittleEndian(_first.AsSpan(8));
            for (uint left = unitSize; left > 0;)
            {
                int length = (int)Math.Min(left, Chunk);
                for (int i = 0; i < length / 8; i += 2)
                {
                    _tweaks[i] = BitConverter.IsLittleEndian ? low : BinaryPrimitives.ReverseEndianness(low);
                    _tweaks[i + 1] = BitConverter.IsLittleEndian ? high : BinaryPrimitives.ReverseEndianness(high);
                    ulong carry = high >> 63;
                    high = (high << 1) | (low >> 63);
                    low = (low << 1) ^ (carry * 0x87);
                }
                var tweaks = MemoryMarshal.AsBytes(_tweaks.AsSpan(0, length / 8));
                Xor(new ReadOnlySpan<byte>(source, length), tweaks, _data);
                cipher.TransformBlock(_data, 0, length, _data, 0);
                Xor(_data.AsSpan(0, length), tweaks, new Span<byte>(target, length));
                source += length;
                target += length;
                left -= (uint)length;
            }
        }
    }

    [DataPath]
    private static void Xor(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, Span<byte> result)
    {
        var left = MemoryMarshal.Cast<byte, ulong>(a);
        var right = MemoryMarshal.Cast<byte, ulong>(b);
        var target = MemoryMarshal.Cast<byte, ulong>(result);
        for (int i = 0; i < left.Length; i++) target[i] = left[i] ^ right[i];
    }

    /// <inheritdoc/>
    private protected override void DisposeOwn()
    {
        _encryption.Dispose();
        _decryption.Dispose();
        _tweak.Dispose();
        CryptographicOperations.ZeroMemory(_data);
    }
}
