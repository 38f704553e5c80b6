using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

/// <summary>An I/O of a level without redundancy: each block is on one member. Reads and writes, which the host has split, go to one member; the rest to all that its range touches, of which each
/// has a contiguous piece.</summary>
/// <param name="slots">How many there are.</param>
/// <param name="io">The pooled I/O.</param>
public abstract class MappedIo(int slots, BdevIo io) : RaidIo(io)
{
    private int _submitted, _remaining;
    private BdevIoResult _result;

    private bool IsTransfer => Io.Type is BdevIoType.Read or BdevIoType.Write;

    /// <summary>Where a block is.</summary>
    [DataPath]
    protected abstract int Map(ulong block, out ulong memberBlock);

    /// <summary>How many members a range touches.</summary>
    /// <param name="first">Its first block.</param>
    /// <param name="last">Its last block.</param>
    [DataPath]
    protected abstract int PieceCount(ulong first, ulong last);

    /// <summary>A member's piece of a range.</summary>
    /// <param name="piece">Which, from 0.</param>
    /// <param name="first">The range's first block.</param>
    /// <param name="last">Its last block.</param>
    /// <param name="start">The member's first block.</param>
    /// <param name="blocks">Blocks.</param>
    /// <returns>The slot.</returns>
    [DataPath]
    protected abstract int Piece(int piece, ulong first, ulong last, out ulong start, out ulong blocks);

    /// <inheritdoc/>
    [DataPath]
    protected sealed override void OnSubmitted()
    {
        if (IsTransfer)
        {
            Transfer();
            return;
        }
        _submitted = 0;
        _remaining = Io.Type == BdevIoType.Reset ? slots : PieceCount(Io.OffsetBlocks, Io.OffsetBlocks + Io.NumBlocks - 1);
        _result = BdevIoResult.Of(BdevIoStatus.Success);
        FanOut(_remaining);
    }

    /// <inheritdoc/>
    [DataPath]
    protected sealed override void OnAvailable()
    {
        if (IsTransfer) Transfer();
        else FanOut(Io.Type == BdevIoType.Reset ? slots : PieceCount(Io.OffsetBlocks, Io.OffsetBlocks + Io.NumBlocks - 1));
    }

    [DataPath]
    private unsafe void Transfer()
    {
        var io = Io;
        var member = Channel.Members[Map(io.OffsetBlocks, out ulong block)];
        if (member is null)
        {
            Complete(BdevIoResult.FromErrno(Errno.EIO));
            return;
        }
        int error;
        do
        {
            error = io.Type == BdevIoType.Read ? member.Read(this, io.Iovs, block, io.NumBlocks, (nint)io.Metadata) : member.Write(this, io.Iovs, block, io.NumBlocks, (nint)io.Metadata);
            if (error == 0 || error == -Errno.ENOMEM && WaitsFor(member)) return;
        }
        while (error == -Errno.ENOMEM);
        Complete(BdevIoResult.FromErrno(error));
    }

    [DataPath]
    private void FanOut(int pieces)
    {
        var io = Io;
        while (_submitted < pieces)
        {
            ulong start = 0, blocks = 0;
            int slot = io.Type == BdevIoType.Reset ? _submitted : Piece(_submitted, io.OffsetBlocks, io.OffsetBlocks + io.NumBlocks - 1, out start, out blocks);
            var member = Channel.Members[slot];
            int error = member is null ? -Errno.EIO : member.Do(this, io.Type, start, blocks);
            if (error == -Errno.ENOMEM)
            {
                if (WaitsFor(member!)) return;
                continue;
            }
            _submitted++;
            if (error != 0) Ended(BdevIoResult.FromErrno(error));
        }
    }

    /// <inheritdoc/>
    [DataPath]
    protected internal sealed override void OnMemberCompleted(RaidMemberChannel member, in BdevIoResult result)
    {
        if (IsTransfer) Complete(in result);
        else Ended(in result);
    }

    [DataPath]
    private void Ended(in BdevIoResult result)
    {
        if (!result.IsSuccess) _result = result;
        if (--_remaining == 0) Complete(in _result);
    }
}
