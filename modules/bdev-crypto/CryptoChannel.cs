using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Spindle.Bdev.Crypto.Xts;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Virtual;

namespace Spindle.Bdev.Crypto;

/// <summary>One storage thread's cipher, and the buffers that it encrypts into.</summary>
internal sealed unsafe class CryptoChannel : VirtualChannel
{
    internal readonly AesXts Cipher;
    internal readonly uint BlockSize;

    private readonly IIobufChannel _iobuf;
    private readonly byte* _scratch;
    private readonly IoVec _reserve;
    private bool _reserveIsOut;
    private CryptoIo? _firstWaiting;
    private CryptoIo? _lastWaiting;

    /// <param name="lower">The base's channel.</param>
    /// <param name="secret">The keys, which outlive the channel.</param>
    /// <param name="iobuf">Where buffers come from.</param>
    /// <param name="blockSize">Bytes of a block.</param>
    /// <param name="largestWrite">Bytes of the largest write.</param>
    public CryptoChannel(IBdevChannel lower, AesXtsKey secret, IIobuf iobuf, uint blockSize, uint largestWrite) : base(lower, 0)
    {
        Cipher = secret.CreateCipher();
        BlockSize = blockSize;
        _iobuf = iobuf.CreateChannel("bdev_crypto", smallCache: 16, largeCache: 2);
        _scratch = (byte*)NativeMemory.AlignedAlloc(blockSize, 64);
        // Who submits a write may hold buffers of the pools, as another crypto bdev above does: if all were held by those who wait for one more, none would come back.
        // This one is always there. Its pages are taken when it is first used.
        _reserve = new IoVec(NativeMemory.AlignedAlloc(largestWrite, 4096), largestWrite);
    }

    /// <summary>Memory for one block.</summary>
    internal byte* Scratch => _scratch;

    /// <summary>Takes a buffer for a write, or has it begin by <see cref="CryptoIo.Begin"/> when there is one.</summary>
    [DataPath]
    internal bool TryTakeBuffer(CryptoIo io, uint length, out IoVec buffer)
    {
        if (_iobuf.TryGet(length, out buffer)) return true;
        if (!_reserveIsOut)
        {
            _reserveIsOut = true;
            buffer = _reserve;
            return true;
        }
        if (_iobuf.GetOrWait(length, io.Waiter, out buffer)) return true;
        io.IsWaiting = true;
        io.PreviousWaiting = _lastWaiting;
        io.NextWaiting = null;
        if (_lastWaiting is null) _firstWaiting = io;
        else _lastWaiting.NextWaiting = io;
        _lastWaiting = io;
        return false;
    }

    /// <summary>Takes a write out of those that wait.</summary>
    /// <param name="io">It waits.</param>
    /// <param name="cancel">False when its turn has come.</param>
    [DataPath]
    internal void StopWaiting(CryptoIo io, bool cancel)
    {
        if (cancel) _iobuf.CancelWait(io.Waiter);
        if (io.PreviousWaiting is null) _firstWaiting = io.NextWaiting;
        else io.PreviousWaiting.NextWaiting = io.NextWaiting;
        if (io.NextWaiting is null) _lastWaiting = io.PreviousWaiting;
        else io.NextWaiting.PreviousWaiting = io.PreviousWaiting;
        io.NextWaiting = io.PreviousWaiting = null;
        io.IsWaiting = false;
    }

    /// <summary>Gives a buffer back.</summary>
    [DataPath]
    internal void GiveBack(in IoVec buffer)
    {
        if (buffer.Address != _reserve.Address)
        {
            _iobuf.Put(buffer);
        }
        else if (_firstWaiting is { } io)
        {
            StopWaiting(io, cancel: true);
            io.Begin(_reserve);
        }
        else
        {
            _reserveIsOut = false;
        }
    }

    /// <inheritdoc/>
    protected override void Destroy()
    {
        _iobuf.Dispose();
        Cipher.Dispose();
        CryptographicOperations.ZeroMemory(new Span<byte>(_scratch, (int)BlockSize));
        NativeMemory.AlignedFree(_scratch);
        NativeMemory.AlignedFree(_reserve.Pointer);
        base.Destroy();
    }
}
