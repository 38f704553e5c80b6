namespace Spindle.Bdev.Raid.Intent;

/// <summary>One thread's part: writes that wait until their regions are marked.</summary>
internal sealed class IntentChannel(WriteIntentLog log, RaidChannel channel) : RaidWriteIntent
{
    private readonly IntentTable _table = log.Table;
    private readonly IntentGeometry _geometry = log.Geometry;
    private RaidIo? _first, _last;
    private bool _isClosed;

    /// <inheritdoc/>
    [DataPath]
    protected internal override bool Begin(RaidIo io, ulong firstBlock, ulong blocks)
    {
        if (TryBegin(firstBlock, blocks)) return true;
        io.NextParked = null;
        if (_last is null) _first = io;
        else _last.NextParked = io;
        _last = io;
        log.Ask();
        return false;
    }

    [DataPath]
    private bool TryBegin(ulong firstBlock, ulong blocks)
    {
        int first = _geometry.RegionOf(firstBlock), last = _geometry.RegionOf(firstBlock + blocks - 1);
        for (int region = first; region <= last; region++)
        {
            if (_table.TryBegin(region)) continue;
            // Those before are given back; those behind are asked for as well.
            for (int taken = first; taken < region; taken++) _table.End(taken);
            for (int more = region + 1; more <= last; more++)
                if (_table.TryBegin(more)) _table.End(more);
            return false;
        }
        return true;
    }

    /// <inheritdoc/>
    [DataPath]
    protected internal override void End(ulong firstBlock, ulong blocks, bool isInStep)
    {
        int first = _geometry.RegionOf(firstBlock), last = _geometry.RegionOf(firstBlock + blocks - 1);
        for (int region = first; region <= last; region++)
        {
            if (!isInStep) _table.SetDoubt(region);
            _table.End(region);
        }
        if (!isInStep) log.AskForResync();
    }

    /// <inheritdoc/>
    [DataPath]
    protected internal override bool IsInStep(ulong firstBlock, ulong blocks)
    {
        int last = _geometry.RegionOf(firstBlock + blocks - 1);
        for (int region = _geometry.RegionOf(firstBlock); region <= last; region++)
            if (_table.IsInDoubt(region)) return false;
        return true;
    }

    /// <summary>Regions are marked: lets go on who can. On any thread; it happens on the channel's.</summary>
    internal void Wake() => channel.Owner.Send(static state => ((IntentChannel)state!).GoOn(), this);

    private void GoOn()
    {
        if (_isClosed) return;
        var io = _first;
        _first = _last = null;
        while (io is not null)
        {
            var next = io.NextParked;
            io.NextParked = null;
            if (io.TryIntend(this)) Resume(io);
            io = next;
        }
    }

    /// <inheritdoc/>
    protected internal override void Close()
    {
        _isClosed = true;
        log.Forget(this);
    }
}
