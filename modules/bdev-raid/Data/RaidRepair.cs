using Spindle.Threading;

namespace Spindle.Bdev.Raid;

/// <summary>A range of a member that does not hold what the others do, or cannot be read: on its way from the channel that saw it to the app thread. Made with the channel, used again.</summary>
internal sealed class RaidRepair
{
    private readonly RaidBdev _bdev;
    private readonly StorageMessage _arrived;
    private int _isBusy;

    public RaidRepair(RaidBdev bdev)
    {
        _bdev = bdev;
        _arrived = static state => ((RaidRepair)state!)._bdev.Array.OnRepairAsked((RaidRepair)state);
    }

    public RaidMember Member { get; private set; } = null!;

    public ulong Offset { get; private set; }

    public ulong Blocks { get; private set; }

    [DataPath]
    public bool TryStart(RaidMember member, ulong offset, ulong blocks)
    {
        if (Volatile.Read(ref _isBusy) != 0) return false;
        (Member, Offset, Blocks, _isBusy) = (member, offset, blocks, 1);
        _bdev.Array.AppThread.Send(_arrived, this);
        return true;
    }

    /// <summary>It is done, and may be used again. On the app thread.</summary>
    public void End() => Volatile.Write(ref _isBusy, 0);
}
