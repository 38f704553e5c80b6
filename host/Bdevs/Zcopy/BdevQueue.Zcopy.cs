using Spindle.Bdevs;
using Spindle.Host.Bdevs.Zcopy;
using Spindle.Memory;

namespace Spindle.Host.Bdevs;

/// <content>Loans of the bdev's buffers.</content>
internal sealed partial class BdevQueue
{
    private readonly List<BdevZcopy> _zcopies = [];

    /// <summary>Reads and writes are limited.</summary>
    internal bool HasLimits => _qos is not null;

    internal BdevZcopy CreateZcopy(BdevChannel channel)
    {
        var zcopy = new BdevZcopy(channel);
        _zcopies.Add(zcopy);
        return zcopy;
    }

    /// <summary>Forgets the loans that were made for a channel, which is put.</summary>
    internal void ForgetZcopies(IReadOnlyList<BdevZcopy> zcopies)
    {
        foreach (var zcopy in zcopies)
        {
            zcopy.ReturnBuffer();
            _zcopies.Remove(zcopy);
        }
    }

    /// <summary>Gives a step of a loan to the module.</summary>
    /// <param name="step">The step.</param>
    /// <param name="lent">For an end: the buffers.</param>
    /// <param name="offset">The first block.</param>
    /// <param name="blocks">Blocks.</param>
    /// <param name="callback">When it is done.</param>
    /// <param name="state">For the callback.</param>
    /// <param name="io">The I/O object, whose vectors are what was lent until the callback returns.</param>
    /// <returns>0, or -ENOMEM.</returns>
    [DataPath]
    internal int StartZcopy(BdevZcopyStep step, ReadOnlySpan<IoVec> lent, ulong offset, ulong blocks, BdevIoCallback callback, object state, out BdevIo? io)
    {
        io = Take();
        if (io is null) return -Errno.ENOMEM;
        io.Type = BdevIoType.Zcopy;
        io.ZcopyStep = step;
        io.OffsetBlocks = offset;
        io.NumBlocks = blocks;
        io.SetIovs(lent, []);
        unsafe { io.Metadata = null; }
        SetCaller(io, callback, state);
        io.HostState = null;
        Dispatch(io);
        return 0;
    }

    private void AbortZcopies(object target, BdevAbort abort)
    {
        foreach (var zcopy in _zcopies)
        {
            if (!ReferenceEquals(zcopy.State, target) || zcopy.AbortWaiting()) continue;
            int before = abort.Targets.Count;
            AbortMatching(zcopy, abort);
            // What comes at the next turn, or waits for an I/O object, is not given up.
            if (abort.Targets.Count == before) abort.Failed = true;
        }
    }
}
