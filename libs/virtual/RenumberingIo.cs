using Spindle.Bdevs;
using Spindle.Dif;
using Spindle.Memory;

namespace Spindle.Virtual;

/// <summary>One I/O of a part of a bdev whose reference tags are block addresses: those of the part are not those of the base. Reads are renumbered where they lie. What a submitter
/// wrote stays as it is: it is renumbered in a buffer, unless the host made it for this I/O.</summary>
internal sealed unsafe class RenumberingIo : VirtualIo
{
    private readonly BufferWaiter _waiter;
    private IoVec _buffer;
    private bool _isWaiting;

    internal RenumberingIo(BdevIo io) : base(io) => _waiter = new BufferWaiter(this);

    private RenumberingChannel Part => (RenumberingChannel)Channel;

    private bool HasTags => Io.Metadata is not null || Io.Bdev.MetadataInterleaved;

    /// <inheritdoc/>
    [DataPath]
    protected override void OnSubmitted()
    {
        var type = Io.Type;
        if (type is BdevIoType.Write or BdevIoType.Compare && HasTags)
        {
            if (Io.HostMakesMetadata)
            {
                Part.Information.Renumber(Io.Iovs, Io.Metadata, Io.NumBlocks, Io.OffsetBlocks + Part.OffsetBlocks);
                Forward();
                return;
            }
            ulong bytes = Io.Metadata is null ? Io.LengthBytes : Io.NumBlocks * Io.Bdev.MetadataSize;
            _isWaiting = !Part.Iobuf.GetOrWait((uint)bytes, _waiter, out var buffer);
            if (!_isWaiting) Begin(buffer);
        }
        else if (type == BdevIoType.Abort && AbortTarget() is RenumberingIo { _isWaiting: true } target && target.Part.Iobuf.CancelWait(target._waiter))
        {
            target._isWaiting = false;
            target.Complete(BdevIoResult.Of(BdevIoStatus.Aborted));
            Complete(BdevIoResult.Of(BdevIoStatus.Success));
        }
        else
        {
            Forward();
        }
    }

    [DataPath]
    private void Begin(in IoVec buffer)
    {
        _buffer = buffer;
        byte* at = buffer.Pointer;
        if (Io.Metadata is not null)
        {
            new ReadOnlySpan<byte>(Io.Metadata, (int)(Io.NumBlocks * Io.Bdev.MetadataSize)).CopyTo(buffer.Span);
            Part.Information.Renumber((byte*)null, at, Io.NumBlocks, Io.OffsetBlocks + Part.OffsetBlocks);
        }
        else
        {
            foreach (ref readonly var vector in Io.Iovs)
            {
                vector.Span.CopyTo(new Span<byte>(at, (int)vector.Length));
                at += vector.Length;
            }
            Part.Information.Renumber(buffer.Pointer, (byte*)null, Io.NumBlocks, Io.OffsetBlocks + Part.OffsetBlocks);
        }
        Forward();
    }

    /// <inheritdoc/>
    [DataPath]
    protected override int Issue(IBdevChannel lower, BdevIoCallback completed)
    {
        if (_buffer.Length == 0) return base.Issue(lower, completed);
        var whole = _buffer.Slice(0, Io.Metadata is null ? (uint)Io.LengthBytes : 0);
        var vectors = Io.Metadata is null ? new ReadOnlySpan<IoVec>(in whole) : Io.Iovs;
        nint metadata = Io.Metadata is null ? 0 : (nint)_buffer.Pointer;
        ulong at = Io.OffsetBlocks + Part.OffsetBlocks;
        return Io.Type == BdevIoType.Write ? lower.Write(vectors, at, Io.NumBlocks, completed, this, metadata) : lower.Compare(vectors, at, Io.NumBlocks, completed, this, metadata);
    }

    /// <inheritdoc/>
    [DataPath]
    protected override void OnForwarded(in BdevIoResult result)
    {
        if (_buffer.Length != 0)
        {
            Part.Iobuf.Put(_buffer);
            _buffer = default;
        }
        if (Io.Type == BdevIoType.Read && result.IsSuccess && HasTags) Part.Information.Renumber(Io.Iovs, Io.Metadata, Io.NumBlocks, Io.OffsetBlocks);
        Complete(in result);
    }

    /// <summary>Waits for a buffer.</summary>
    private sealed class BufferWaiter(RenumberingIo io) : IobufWaiter
    {
        /// <inheritdoc/>
        [DataPath]
        protected override void OnBuffer(in IoVec buffer)
        {
            io._isWaiting = false;
            io.Begin(buffer);
        }
    }
}

/// <summary>One storage thread's way to the base of a part whose reference tags are its own.</summary>
internal sealed class RenumberingChannel(IBdevChannel lower, ulong offsetBlocks, ProtectionInformation information, IIobuf iobuf) : VirtualChannel(lower, offsetBlocks)
{
    internal readonly ProtectionInformation Information = information;
    internal readonly IIobufChannel Iobuf = iobuf.CreateChannel("bdev_part", 4, 1);

    /// <inheritdoc/>
    protected override void Destroy()
    {
        Iobuf.Dispose();
        base.Destroy();
    }
}
