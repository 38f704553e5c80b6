namespace Spindle.Bdev.Crypto.Xts;

/// <summary>AES-XTS (IEEE 1619) over blocks of a disk, each a data unit whose tweak is 64 zero bits, then its address as 64 bits, the lowest byte first: SPDK's SIMPLE_LBA
/// as its software module has it. For one thread at a time.</summary>
public abstract unsafe class AesXts : IDisposable
{
    private readonly AesXtsKey _key;
    private bool _disposed;

    /// <param name="key">The keys, which it is a user of.</param>
    private protected AesXts(AesXtsKey key) => _key = key;

    /// <summary>Encrypts data units.</summary>
    /// <param name="source">Plain.</param>
    /// <param name="target">Gets the encrypted ones. The same as <paramref name="source"/>, or apart from it.</param>
    /// <param name="unitSize">Bytes of a data unit; a multiple of 16, above 0.</param>
    /// <param name="units">How many.</param>
    /// <param name="address">Of the first one; the next has the next address.</param>
    /// <param name="low">The lower half of the tweak, which SPDK leaves at 0.</param>
    [DataPath]
    public abstract void Encrypt(byte* source, byte* target, uint unitSize, uint units, ulong address, ulong low = 0);

    /// <summary>Decrypts data units; the parameters are those of <see cref="Encrypt"/>.</summary>
    [DataPath]
    public abstract void Decrypt(byte* source, byte* target, uint unitSize, uint units, ulong address, ulong low = 0);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        DisposeOwn();
        _key.Release();
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases what it holds besides the keys.</summary>
    private protected virtual void DisposeOwn() { }
}
