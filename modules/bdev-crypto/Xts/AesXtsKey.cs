using System.Runtime.InteropServices;
using System.Security.Cryptography;
using X86Aes = System.Runtime.Intrinsics.X86.Aes;

namespace Spindle.Bdev.Crypto.Xts;

/// <summary>The two keys of AES-XTS and their round keys, in memory of their own that is overwritten when they are disposed of and the last cipher that uses them is.
/// Read by any thread.</summary>
public sealed unsafe class AesXtsKey : IDisposable
{
    /// <summary>Bytes of the largest key.</summary>
    public const int MaxKeySize = 32;

    private const int ScheduleSize = 15 * 16;
    private const nuint MemorySize = (3 * ScheduleSize) + (2 * MaxKeySize);

    private byte* _memory;
    private int _users = 1;
    private int _disposed;

    /// <param name="key1">What the data is encrypted with: 16 bytes for AES-128, 32 for AES-256. Copied.</param>
    /// <param name="key2">What the tweak is encrypted with; of the same length.</param>
    /// <exception cref="ArgumentException">The keys are of no such length, or the same.</exception>
    public AesXtsKey(ReadOnlySpan<byte> key1, ReadOnlySpan<byte> key2)
    {
        if (key1.Length is not (16 or 32) || key2.Length != key1.Length) throw new ArgumentException("Both keys must have 16 bytes, or 32.", nameof(key1));
        // IEEE 1619 rests on their difference (Rogaway 2004); FIPS 140-3, C.I, demands the check.
        if (CryptographicOperations.FixedTimeEquals(key1, key2)) throw new ArgumentException("The two keys are the same.", nameof(key2));
        KeySize = key1.Length;
        _memory = (byte*)NativeMemory.AlignedAlloc(MemorySize, 64);
        Erase();
        key1.CopyTo(Key1Memory);
        key2.CopyTo(Key2Memory);
        if (!IsAccelerated) return;
        AesKeySchedule.Expand(key1, DataEncryption);
        AesKeySchedule.Invert(DataEncryption, DataDecryption, Rounds);
        AesKeySchedule.Expand(key2, TweakEncryption);
    }

    /// <summary>True when the processor has instructions for AES.</summary>
    public static bool IsAccelerated => X86Aes.IsSupported;

    /// <summary>Bytes of each key: 16 or 32.</summary>
    public int KeySize { get; }

    /// <summary>Rounds of AES: 10 or 14.</summary>
    public int Rounds => (KeySize / 4) + 6;

    /// <summary>True until the keys are overwritten.</summary>
    public bool IsAlive => _memory is not null;

    internal byte* DataEncryption => _memory;

    internal byte* DataDecryption => _memory + ScheduleSize;

    internal byte* TweakEncryption => _memory + (2 * ScheduleSize);

    /// <summary>The key for the data.</summary>
    internal ReadOnlySpan<byte> Key1 => Key1Memory;

    /// <summary>The key for the tweak.</summary>
    internal ReadOnlySpan<byte> Key2 => Key2Memory;

    private Span<byte> Key1Memory => new(_memory + (3 * ScheduleSize), KeySize);

    private Span<byte> Key2Memory => new(_memory + (3 * ScheduleSize) + MaxKeySize, KeySize);

    /// <summary>Makes what encrypts with these keys, for one thread at a time.</summary>
    /// <param name="portable">True: without the processor's instructions even where there are some.</param>
    /// <exception cref="ObjectDisposedException">The keys are gone.</exception>
    public AesXts CreateCipher(bool portable = false)
    {
        int users = Volatile.Read(ref _users);
        while (true)
        {
            ObjectDisposedException.ThrowIf(users == 0 || Volatile.Read(ref _disposed) != 0, this);
            int seen = Interlocked.CompareExchange(ref _users, users + 1, users);
            if (seen == users) break;
            users = seen;
        }
        return IsAccelerated && !portable ? new AesNiXts(this) : new PortableXts(this);
    }

    private void Erase() => CryptographicOperations.ZeroMemory(new Span<byte>(_memory, (int)MemorySize));

    /// <summary>A user is gone.</summary>
    internal void Release()
    {
        if (Interlocked.Decrement(ref _users) > 0) return;
        Erase();
        NativeMemory.AlignedFree(_memory);
        _memory = null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0) Release();
    }
}
