using Spindle.Memory;

namespace Spindle.Bdevs;

/// <summary>A loan of buffers that hold, or will hold, a range of a bdev's blocks, so that data need not be copied into buffers of one's own first (SPDK's zcopy).
/// A bdev whose data lies in memory lends that memory; otherwise they are the host's, filled by a read and written by a write. Made once by
/// <see cref="IBdevChannel.CreateZcopy"/>, used again and again, on that channel's thread.</summary>
/// <remarks>Between the two steps it takes part in no order with other I/O of the same blocks: where the bdev lends its own memory, what is written there shows at
/// once, committed or not.</remarks>
public interface IBdevZcopy
{
    /// <summary>Blocks of the largest loan.</summary>
    ulong MaxBlocks { get; }

    /// <summary>The first block of the loan.</summary>
    ulong OffsetBlocks { get; }

    /// <summary>Blocks of the loan.</summary>
    ulong NumBlocks { get; }

    /// <summary>The buffers, exactly <see cref="NumBlocks"/> blocks in all: from a successful start to the call of <see cref="End"/>. Empty otherwise.</summary>
    ReadOnlySpan<IoVec> Buffers { get; }

    /// <summary>Borrows buffers.</summary>
    /// <param name="offsetBlocks">The first block.</param>
    /// <param name="numBlocks">Blocks, 1 to <see cref="MaxBlocks"/>.</param>
    /// <param name="populate">Whether they are to hold the blocks' data; otherwise they hold anything.</param>
    /// <param name="callback">Called once it is done, never inside. After a failure there is no loan.</param>
    /// <param name="state">For the callback. An abort of it ends a start that waits.</param>
    /// <returns>0, or a negated error number as for <see cref="IBdevChannel"/>; -EBUSY: the last loan has not ended.</returns>
    int Start(ulong offsetBlocks, ulong numBlocks, bool populate, BdevIoCallback callback, object? state);

    /// <summary>Gives the buffers back.</summary>
    /// <param name="commit">Whether the blocks are to have what is in them.</param>
    /// <param name="callback">Called once it is done, never inside; the loan has ended then, whatever the result.</param>
    /// <param name="state">For the callback.</param>
    /// <returns>0; or a negated error number, after which the loan goes on: -EBADF: opened read-only; -ENODEV: the bdev is being removed (end it without
    /// commit, which is always possible); -ENOMEM: see <see cref="IBdevChannel.QueueIoWait"/>; -EINVAL: there is no loan.</returns>
    int End(bool commit, BdevIoCallback callback, object? state);
}

/// <summary>The steps of a loan, as <see cref="BdevIo.ZcopyStep"/> tells a module that supports <see cref="BdevIoType.Zcopy"/>.</summary>
public enum BdevZcopyStep : byte
{
    /// <summary>Lend buffers by <see cref="BdevIo.LendBuffers"/>; what they hold does not matter.</summary>
    Start,
    /// <summary>Lend buffers that hold the blocks' data.</summary>
    StartPopulated,
    /// <summary>The buffers, which are <see cref="BdevIo.Iovs"/>, come back; the blocks stay as they are.</summary>
    End,
    /// <summary>The buffers come back; the blocks have what is in them from now on.</summary>
    EndCommitted,
}
