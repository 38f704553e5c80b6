using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.Bdev.Raid;

/// <summary>One storage thread's ways to the members of an array. On that thread only.</summary>
public sealed class RaidChannel : IoChannel
{
    private readonly RaidBdev _bdev;
    private readonly IStorageThread _thread;
    private readonly List<RaidMemberChannel> _leaving = [];
    private readonly RaidRepair[] _repairs;
    private RaidIo? _parked;

    internal RaidChannel(RaidBdev bdev, IStorageThread thread, int slots)
    {
        (_bdev, _thread) = (bdev, thread);
        Members = new RaidMemberChannel?[slots];
        _repairs = [.. Enumerable.Range(0, 16).Select(_ => new RaidRepair(bdev))];
    }

    /// <summary>The array's bdev.</summary>
    public RaidBdev Array => _bdev;

    internal IStorageThread Owner => _thread;

    /// <summary>For each slot what is to be written to; null while nothing is there. The one that is being rebuilt is among them.</summary>
    public RaidMemberChannel?[] Members { get; }

    /// <summary>The slot that is being rebuilt; -1 for none.</summary>
    public int Target { get; internal set; } = -1;

    /// <summary>Blocks from the start of <see cref="Target"/>'s data region that hold the array's data.</summary>
    public ulong TargetBlocks { get; internal set; }

    /// <summary>What the level keeps for this thread.</summary>
    public IDisposable? LevelState { get; internal set; }

    /// <summary>What marks regions before they are written; null for none.</summary>
    public RaidWriteIntent? Intent { get; internal set; }

    internal bool IsGone { get; private set; }

    /// <summary>Who holds the array's data in a range of the member's data region: null when nothing is in the slot, or it has not been rebuilt so far.</summary>
    [DataPath]
    public RaidMemberChannel? Readable(int slot, ulong endBlock) => slot == Target && endBlock > TargetBlocks ? null : Members[slot];

    [DataPath]
    internal void Park(RaidIo io)
    {
        io.NextParked = _parked;
        _parked = io;
    }

    [DataPath]
    internal void Report(RaidMemberChannel member)
    {
        if (member.IsReported) return;
        member.IsReported = true;
        _bdev.Report(member.Member);
    }

    /// <summary>Has a range of a member made again from the others, when no I/O is under way there; a member that cannot take it fails.</summary>
    /// <param name="member">The member.</param>
    /// <param name="offset">The array's first block.</param>
    /// <param name="blocks">Blocks of the array.</param>
    /// <returns>False when too many wait for it already.</returns>
    [DataPath]
    public bool Repair(RaidMemberChannel member, ulong offset, ulong blocks)
    {
        foreach (var repair in _repairs)
        {
            if (repair.TryStart(member.Member, offset, blocks)) return true;
        }
        return false;
    }

    /// <summary>Opens a way to a member.</summary>
    internal void Attach(RaidMember member)
    {
        if (Members[member.Slot] is not null) return;
        IBdevChannel lower;
        try
        {
            lower = member.Descriptor.GetChannel();
        }
        catch (SpindleException)
        {
            lower = new GoneChannel(member.Descriptor.Bdev);
        }
        Members[member.Slot] = new RaidMemberChannel(member, lower);
    }

    /// <summary>A failure is settled: the member is out, or stays in since the array cannot do without it. I/O that is under way to it ends later.</summary>
    internal void Settle(RaidMember member, bool isOut)
    {
        if (Members[member.Slot] is { } here && here.Member == member)
        {
            here.IsReported = false;
            if (isOut)
            {
                Members[member.Slot] = null;
                _leaving.Add(here);
                if (Target == member.Slot) Target = -1;
            }
        }
        var io = _parked;
        _parked = null;
        while (io is not null)
        {
            var next = io.NextParked;
            if (io.Settle(member.Slot)) io.Settled();
            else Park(io);
            io = next;
        }
    }

    /// <summary>Gives back the ways to members that are out; no I/O to them is under way.</summary>
    internal void PutLeaving()
    {
        foreach (var member in _leaving) member.Lower.Put();
        _leaving.Clear();
    }

    /// <summary>Hands on what was submitted.</summary>
    [DataPath]
    internal void Flush()
    {
        foreach (var member in Members) member?.Lower.Flush();
    }

    /// <summary>It could not be made.</summary>
    internal void Abandon() => Destroy();

    /// <inheritdoc/>
    protected override void Destroy()
    {
        IsGone = true;
        _bdev.Forget(this);
        Intent?.Close();
        LevelState?.Dispose();
        PutLeaving();
        for (int slot = 0; slot < Members.Length; slot++)
        {
            Members[slot]?.Lower.Put();
            Members[slot] = null;
        }
    }
}
