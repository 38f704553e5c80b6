using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Virtual;

namespace Spindle.Bdev.Crypto;

/// <summary>One I/O: a write is encrypted into a buffer on its way down, a read is decrypted where it lies on its way up.</summary>
internal sealed unsafe class CryptoIo : VirtualIo
{
    internal readonly IobufWaiter Waiter;
    internal CryptoIo? NextWaiting;
    internal CryptoIo? PreviousWaiting;
    internal bool IsWaiting;

    private IoVec _buffer;

    internal CryptoIo(BdevIo io) : base(io) => Waiter = new BufferWaiter(this);

    private CryptoChannel Crypto => (CryptoChannel)Channel;

    /// <inheritdoc/>
    [DataPath]
    protected override void OnSubmitted()
    {
        var type = Io.Type;
        if (type == BdevIoType.Write)
        {
            if (Crypto.TryTakeBuffer(this, (uint)Io.LengthBytes, out var buffer)) Begin(buffer);
        }
        else if (type == BdevIoType.Abort && AbortTarget() is CryptoIo { IsWaiting: true } target)
        {
            target.Crypto.StopWaiting(target, cancel: true);
            target.Complete(BdevIoResult.Of(BdevIoStatus.Aborted));
            Complete(BdevIoResult.Of(BdevIoStatus.Success));
        }
        else
        {
            Forward();
        }
    }

    /// <summary>Encrypts a write into a buffer and hands it down.</summary>
    [DataPath]
    internal void Begin(in IoVec buffer)
    {
        var channel = Crypto;
        _buffer = buffer;
        CryptoVectors.Encrypt(channel.Cipher, Io.Iovs, buffer.Pointer, channel.BlockSize, Io.NumBlocks, Io.OffsetBlocks);
        Forward();
    }

    /// <inheritdoc/>
    [DataPath]
    protected override int Issue(IBdevChannel lower, BdevIoCallback completed) => Io.Type == BdevIoType.Write
        ? lower.Write([_buffer.Slice(0, (uint)Io.LengthBytes)], Io.OffsetBlocks, Io.NumBlocks, completed, this) : base.Issue(lower, completed);

    /// <inheritdoc/>
    [DataPath]
    protected override void OnForwarded(in BdevIoResult result)
    {
        if (Io.Type == BdevIoType.Write)
        {
            Crypto.GiveBack(_buffer);
        }
        else if (Io.Type == BdevIoType.Read && result.IsSuccess)
        {
            var channel = Crypto;
            CryptoVectors.Decrypt(channel.Cipher, Io.Iovs, channel.Scratch, channel.BlockSize, Io.NumBlocks, Io.OffsetBlocks);
        }
        Complete(in result);
    }

    /// <summary>Waits for a buffer.</summary>
    private sealed class BufferWaiter(CryptoIo io) : IobufWaiter
    {
        /// <inheritdoc/>
        [DataPath]
        protected override void OnBuffer(in IoVec buffer)
        {
            io.Crypto.StopWaiting(io, cancel: false);
            io.Begin(buffer);
        }
    }
}
