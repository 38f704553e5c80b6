using Spindle.Bdevs;
using Spindle.Virtual;

namespace Spindle.Bdev.ZoneBlock;

/// <summary>One I/O: what it does to its zone, and what is left of it for the base.</summary>
internal sealed class ZoneBlockIo(BdevIo io) : VirtualIo(io)
{
    private ZoneTable _zones = null!;
    private ulong _at;        // of a write: its first block
    private ulong _unwritten; // of a read: its first block that was not written, counted from its own first one

    /// <inheritdoc/>
    [DataPath]
    protected override void OnSubmitted()
    {
        _zones = ((ZoneBlockChannel)Channel).Zones;
        switch (Io.Type)
        {
            case BdevIoType.Read:
                Read();
                break;
            case BdevIoType.Write or BdevIoType.WriteZeroes:
                Write(append: false);
                break;
            case BdevIoType.ZoneAppend:
                Write(append: true);
                break;
            case BdevIoType.ZoneManagement:
                Manage();
                break;
            case BdevIoType.GetZoneInfo:
                Report();
                break;
            default:
                Forward();
                break;
        }
    }

    /// <summary>Reads what was written from the base. What was not is zero, whatever the base has there. The host has split reads at the zones' boundaries.</summary>
    [DataPath]
    private void Read()
    {
        ulong end = _zones.WrittenEnd(Io.OffsetBlocks);
        _unwritten = end > Io.OffsetBlocks ? end - Io.OffsetBlocks : 0;
        if (_unwritten > 0)
        {
            Forward();
            return;
        }
        UnwrittenBlocks.Fill(Io, 0);
        Complete(BdevIoResult.Of(BdevIoStatus.Success));
    }

    [DataPath]
    private void Write(bool append)
    {
        var verdict = _zones.BeginWrite(Io.OffsetBlocks, Io.NumBlocks, append, out _at);
        if (verdict == ZoneVerdict.Done) Forward();
        else Refuse(verdict);
    }

    [DataPath]
    private void Manage()
    {
        if (Io.ZoneAction == BdevZoneAction.Reset)
        {
            Reset();
            return;
        }
        var verdict = _zones.Change(Io.OffsetBlocks, Io.ZoneAction);
        if (verdict == ZoneVerdict.Done) Complete(BdevIoResult.Of(BdevIoStatus.Success));
        else Refuse(verdict);
    }

    [DataPath]
    private void Reset()
    {
        var verdict = _zones.BeginReset(Io.OffsetBlocks);
        if (verdict == ZoneVerdict.Begun)
        {
            // Not needed for the zone to read as empty, but the base may have use for the room.
            if (((ZoneBlockChannel)Channel).Deallocates)
            {
                Forward();
                return;
            }
            _zones.EndReset(Io.OffsetBlocks);
            verdict = ZoneVerdict.Done;
        }
        if (verdict == ZoneVerdict.Done) Complete(BdevIoResult.Of(BdevIoStatus.Success));
        else Refuse(verdict);
    }

    [DataPath]
    private void Report()
    {
        var zones = Io.Zones.Span;
        ulong start = Io.OffsetBlocks, size = Io.NumBlocks / (ulong)zones.Length;
        for (int i = 0; i < zones.Length; i++, start += size) zones[i] = _zones.Describe(start);
        Complete(BdevIoResult.Of(BdevIoStatus.Success));
    }

    [DataPath]
    private void Refuse(ZoneVerdict verdict) => Complete(verdict switch
    {
        // The host submits it again, in its place, until what is under way in the zone has ended.
        ZoneVerdict.Busy => BdevIoResult.Of(BdevIoStatus.NoMemory),
        ZoneVerdict.Full => BdevZoneErrors.Full,
        ZoneVerdict.InvalidWrite => BdevZoneErrors.InvalidWrite,
        ZoneVerdict.Boundary => BdevZoneErrors.Boundary,
        _ => BdevZoneErrors.InvalidTransition,
    });

    /// <inheritdoc/>
    [DataPath]
    protected override unsafe int Issue(IBdevChannel lower, BdevIoCallback completed) => Io.Type switch
    {
        BdevIoType.Write or BdevIoType.ZoneAppend => lower.Write(Io.Iovs, _at, Io.NumBlocks, completed, this, (nint)Io.Metadata),
        BdevIoType.WriteZeroes => lower.WriteZeroes(_at, Io.NumBlocks, completed, this),
        BdevIoType.ZoneManagement => lower.Unmap(Io.OffsetBlocks, _zones.Capacity, completed, this),
        _ => base.Issue(lower, completed),
    };

    /// <inheritdoc/>
    [DataPath]
    protected override void OnForwarded(in BdevIoResult result)
    {
        switch (Io.Type)
        {
            case BdevIoType.Write or BdevIoType.WriteZeroes:
                _zones.EndWrite(_at);
                break;
            case BdevIoType.ZoneAppend:
                _zones.EndWrite(_at);
                if (!result.IsSuccess) break;
                Complete(BdevIoResult.WithValue(_at));
                return;
            case BdevIoType.ZoneManagement:
                _zones.EndReset(Io.OffsetBlocks);
                break;
            case BdevIoType.Read when result.IsSuccess && _unwritten < Io.NumBlocks:
                UnwrittenBlocks.Fill(Io, _unwritten);
                break;
        }
        Complete(in result);
    }
}
