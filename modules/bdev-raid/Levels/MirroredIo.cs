using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

/// <summary>An I/O of a mirror.</summary>
/// <param name="io">The pooled I/O.</param>
internal sealed unsafe class MirroredIo(BdevIo io) : RaidIo(io)
{
    // A read: where it failed. A write: where it succeeded.
    private MemberSet _seen;
    private int _next, _remaining;
    private bool _hasFailed;
    private BdevIoResult _error;

    [DataPath]
    protected override void OnSubmitted()
    {
        (_seen, _hasFailed) = (default, false);
        if (Io.Type == BdevIoType.Read)
        {
            Read();
            return;
        }
        (_next, _remaining) = (0, 1); // one for the submission itself
        Write();
    }

    [DataPath]
    protected override void OnAvailable()
    {
        if (Io.Type == BdevIoType.Read) Read();
        else Write();
    }

    /// <summary>Asks the member that has least to read, of those that were not asked yet.</summary>
    [DataPath]
    private void Read()
    {
        var io = Io;
        ulong end = io.OffsetBlocks + io.NumBlocks;
        // Where the members may differ all reads are of the one that the others are made from.
        bool isBalanced = Channel.Intent is not { } intent || intent.IsInStep(io.OffsetBlocks, io.NumBlocks);
        while (true)
        {
            RaidMemberChannel? best = null;
            var members = Channel.Members;
            for (int slot = 0; slot < members.Length; slot++)
            {
                if (Channel.Readable(slot, end) is { } member && (best is null || (isBalanced && member.BlocksBeingRead < best.BlocksBeingRead)) && !(_hasFailed && _seen.Has(slot))) best = member;
            }
            if (best is null)
            {
                Complete(_hasFailed ? _error : BdevIoResult.FromErrno(Errno.EIO));
                return;
            }
            int error = best.Read(this, io.Iovs, io.OffsetBlocks, io.NumBlocks, (nint)io.Metadata);
            if (error == 0)
            {
                best.BlocksBeingRead += io.NumBlocks;
                return;
            }
            if (error == -Errno.ENOMEM)
            {
                if (WaitsFor(best)) return;
                continue;
            }
            Failed(best.Slot, BdevIoResult.FromErrno(error));
        }
    }

    /// <summary>Writes to each member; so does what has no data.</summary>
    [DataPath]
    private void Write()
    {
        var io = Io;
        var members = Channel.Members;
        while (_next < members.Length)
        {
            if (members[_next] is not { } member)
            {
                _next++;
                continue;
            }
            int error = io.Type == BdevIoType.Write ? member.Write(this, io.Iovs, io.OffsetBlocks, io.NumBlocks, (nint)io.Metadata) : member.Do(this, io.Type, io.OffsetBlocks, io.NumBlocks);
            if (error == -Errno.ENOMEM)
            {
                if (WaitsFor(member)) return;
                continue;
            }
            _next++;
            if (error == 0) _remaining++;
            else WriteFailed(member, BdevIoResult.FromErrno(error));
        }
        Ended();
    }

    [DataPath]
    protected internal override void OnMemberCompleted(RaidMemberChannel member, in BdevIoResult result)
    {
        if (Io.Type == BdevIoType.Read)
        {
            member.BlocksBeingRead -= Io.NumBlocks;
            if (result.IsSuccess && !_hasFailed) Complete(in result);
            else if (result.IsSuccess) ReadElsewhere();
            else ReadFailed(member, in result);
            return;
        }
        if (result.IsSuccess) _seen.Add(member.Slot);
        else WriteFailed(member, in result);
        Ended();
    }

    [DataPath]
    private void ReadFailed(RaidMemberChannel member, in BdevIoResult result)
    {
        Failed(member.Slot, in result);
        if (result.Status == BdevIoStatus.Aborted) Complete(in result);
        else Read();
    }

    /// <summary>The data was had from another member: where it could not be read it is written again, or the member fails.</summary>
    [DataPath]
    private void ReadElsewhere()
    {
        for (int slot = 0; slot < Channel.Members.Length; slot++)
        {
            if (_seen.Has(slot) && Channel.Members[slot] is { } failed) Channel.Repair(failed, Io.OffsetBlocks, Io.NumBlocks);
        }
        Complete(BdevIoResult.Of(BdevIoStatus.Success));
    }

    [DataPath]
    private void WriteFailed(RaidMemberChannel member, in BdevIoResult result)
    {
        (_hasFailed, _error) = (true, result);
        bool isAborted = result.Status == BdevIoStatus.Aborted;
        if (Io.Type == BdevIoType.Reset || Io.Type == BdevIoType.Flush && isAborted) return;
        // A reset ended it, on purpose: the member is as good as before, once it is in step with the others there again.
        if (isAborted && Channel.Members[member.Slot] == member && Channel.Repair(member, Io.OffsetBlocks, Io.NumBlocks)) return;
        FailMember(member);
    }

    [DataPath]
    private void Failed(int slot, in BdevIoResult result)
    {
        if (!_hasFailed) _seen = default;
        _seen.Add(slot);
        (_hasFailed, _error) = (true, result);
    }

    [DataPath]
    private void Ended()
    {
        if (--_remaining > 0) return;
        if (!_hasFailed) Complete(_seen.IsEmpty ? BdevIoResult.FromErrno(Errno.EIO) : BdevIoResult.Of(BdevIoStatus.Success));
        else if (!IsSettling) OnFailuresSettled();
    }

    /// <summary>Where it failed the member is out, or it is the last one.</summary>
    [DataPath]
    protected override void OnFailuresSettled()
    {
        if (_remaining > 0) return; // others are under way
        if (Io.Type == BdevIoType.Reset || _error.Status == BdevIoStatus.Aborted)
        {
            Complete(in _error);
            return;
        }
        bool isThere = false;
        for (int slot = 0; slot < Channel.Members.Length; slot++)
        {
            if (Channel.Members[slot] is not { } member) continue;
            if (_seen.Has(slot)) isThere |= Channel.Readable(slot, Io.OffsetBlocks + Io.NumBlocks) is not null;
            else if (!WasAskedLater(slot))
            {
                // It stays in without this write: the caller hears of it, and it is brought in step with the others.
                if (Io.Type != BdevIoType.Flush) Channel.Repair(member, Io.OffsetBlocks, Io.NumBlocks);
                Complete(in _error);
                return;
            }
        }
        Complete(isThere ? BdevIoResult.Of(BdevIoStatus.Success) : _error);
    }

    /// <summary>A member that was put in while this was under way got no part of it; what puts it in copies what was written meanwhile.</summary>
    [DataPath]
    private bool WasAskedLater(int slot) => slot == Channel.Target;
}
