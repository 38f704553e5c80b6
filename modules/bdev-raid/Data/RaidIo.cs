using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

/// <summary>What a level keeps for one I/O of the array: made with the pooled I/O, used again with it.</summary>
/// <param name="io">The pooled I/O.</param>
public abstract class RaidIo(BdevIo io) : RaidOperation
{
    private MemberSet _failing;
    private uint _generation;
    private bool _isIntended;

    internal RaidIo? NextParked { get; set; }

    /// <summary>The pooled I/O.</summary>
    protected BdevIo Io { get; } = io;

    /// <summary>The channel it came through.</summary>
    protected RaidChannel Channel { get; private set; } = null!;

    [DataPath]
    internal void Start(RaidChannel channel)
    {
        Channel = channel;
        _generation = Io.Generation;
        if (channel.Intent is { } intent && Io.Type is BdevIoType.Write or BdevIoType.WriteZeroes or BdevIoType.Unmap)
        {
            _isIntended = true;
            if (!intent.Begin(this, Io.OffsetBlocks, Io.NumBlocks)) return;
        }
        OnSubmitted();
    }

    /// <summary>Asks once more for the intent of a write that waited.</summary>
    [DataPath]
    internal bool TryIntend(RaidWriteIntent intent) => intent.Begin(this, Io.OffsetBlocks, Io.NumBlocks);

    /// <summary>A write of which the intent is on the members now goes on.</summary>
    [DataPath]
    internal void GoOn() => OnSubmitted();

    /// <summary>The I/O has come: it ends by one <see cref="Complete"/>, now or later.</summary>
    [DataPath]
    protected abstract void OnSubmitted();

    /// <summary>Ends the I/O.</summary>
    [DataPath]
    protected void Complete(in BdevIoResult result)
    {
        if (_isIntended)
        {
            _isIntended = false;
            Channel.Intent?.End(Io.OffsetBlocks, Io.NumBlocks, result.IsSuccess);
        }
        Io.Complete(_generation, in result);
    }

    /// <summary>Says that a member has failed a write, so that it does not have the array's data any more. The array takes it out, and writes that down on the others, before
    /// <see cref="OnFailuresSettled"/> is called. May be called for several members.</summary>
    /// <returns>False when the member is out already: nothing to wait for.</returns>
    [DataPath]
    protected bool FailMember(RaidMemberChannel member)
    {
        if (Channel.Members[member.Slot] != member) return false;
        bool isParked = !_failing.IsEmpty;
        _failing.Add(member.Slot);
        if (!isParked) Channel.Park(this);
        Channel.Report(member);
        return true;
    }

    /// <summary>True while a failure is being settled.</summary>
    protected bool IsSettling => !_failing.IsEmpty;

    /// <summary>All failed members that were reported are out, or the array cannot do without them: then they are still in <see cref="RaidChannel.Members"/>.</summary>
    [DataPath]
    protected virtual void OnFailuresSettled() { }

    /// <returns>True when it need not stay parked.</returns>
    internal bool Settle(int slot)
    {
        _failing.Remove(slot);
        return _failing.IsEmpty;
    }

    internal void Settled() => OnFailuresSettled();
}
