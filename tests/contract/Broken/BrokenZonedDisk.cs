using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.ContractTests.Broken;

/// <summary>What is wrong with a <see cref="BrokenZonedDisk"/>.</summary>
public enum ZoneDefect
{
    None,
    ReportsAllAtOnePlace,
    WritesAnywhere,
    FullIsWritableAgain,
    ResetKeepsThePointer,
    AppendSaysTheEnd,
    ClosesWhatIsEmpty,
    IgnoresLimits,
    WriteForgetsTheOpen,
}

/// <summary>A zoned disk in memory, with limits, that does everything, with one defect: for each rule on zones there is one that breaks it.</summary>
public sealed class BrokenZonedDisk : Spindle.Bdevs.Bdev
{
    public const ulong Size = 64;
    public const ulong Capacity = 48;

    private readonly ZoneDefect _defect;
    private readonly byte[] _data;
    private readonly BdevZoneInfo[] _zones;
    private readonly Lock _lock = new();

    public BrokenZonedDisk(string name, ZoneDefect defect) : base(name, "Broken zoned disk", 512, 16 * Size)
    {
        _defect = defect;
        _data = new byte[16 * Size * 512];
        ZoneSizeBlocks = Size;
        MaxZoneAppendBlocks = 16;
        MaxOpenZones = 8;
        MaxActiveZones = 10;
        OptimalOpenZones = 4;
        _zones = [.. Enumerable.Range(0, 16).Select(i => new BdevZoneInfo
        {
            Start = (ulong)i * Size, WritePointer = (ulong)i * Size, Capacity = Capacity, State = BdevZoneState.Empty, Type = BdevZoneType.SequentialWriteRequired,
        })];
    }

    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.GetZoneInfo or BdevIoType.ZoneManagement or BdevIoType.ZoneAppend;

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    public override void Submit(IoChannel channel, BdevIo io)
    {
        uint generation = io.Generation;
        BdevIoResult result;
        lock (_lock) result = CarryOut(io);
        channel.Thread.Send(_ => io.Complete(generation, result), null);
    }

    private BdevIoResult CarryOut(BdevIo io)
    {
        ref var zone = ref _zones[io.OffsetBlocks / Size];
        switch (io.Type)
        {
            case BdevIoType.Read:
                int at = (int)io.OffsetBlocks * 512;
                foreach (var vector in io.Iovs)
                {
                    _data.AsSpan(at, (int)vector.Length).CopyTo(vector.Span);
                    at += (int)vector.Length;
                }
                return BdevIoResult.Of(BdevIoStatus.Success);
            case BdevIoType.GetZoneInfo:
                var zones = io.Zones.Span;
                for (int i = 0; i < zones.Length; i++)
                {
                    zones[i] = _zones[(int)(io.OffsetBlocks / Size) + i];
                    if (_defect == ZoneDefect.ReportsAllAtOnePlace) zones[i].Start = io.OffsetBlocks;
                }
                return BdevIoResult.Of(BdevIoStatus.Success);
            case BdevIoType.ZoneManagement:
                return Manage(ref zone, io.ZoneAction);
            default:
                return Write(ref zone, io);
        }
    }

    private int Count(params BdevZoneState[] states) => _zones.Count(zone => states.Contains(zone.State));

    private BdevIoResult? Limit(BdevZoneState from)
    {
        if (_defect == ZoneDefect.IgnoresLimits) return null;
        bool open = from is BdevZoneState.ImplicitlyOpen or BdevZoneState.ExplicitlyOpen;
        if (!open && from != BdevZoneState.Closed && Count(BdevZoneState.ImplicitlyOpen, BdevZoneState.ExplicitlyOpen, BdevZoneState.Closed) >= MaxActiveZones) return BdevZoneErrors.TooManyActive;
        return !open && Count(BdevZoneState.ImplicitlyOpen, BdevZoneState.ExplicitlyOpen) >= MaxOpenZones ? BdevZoneErrors.TooManyOpen : null;
    }

    private BdevIoResult Manage(ref BdevZoneInfo zone, BdevZoneAction action)
    {
        switch (action)
        {
            case BdevZoneAction.Open when zone.State != BdevZoneState.Full:
                if (Limit(zone.State) is { } limit) return limit;
                zone.State = BdevZoneState.ExplicitlyOpen;
                break;
            case BdevZoneAction.Close when zone.State != BdevZoneState.Full && (zone.State != BdevZoneState.Empty || _defect == ZoneDefect.ClosesWhatIsEmpty):
                zone.State = BdevZoneState.Closed;
                break;
            case BdevZoneAction.Finish:
                (zone.State, zone.WritePointer) = (BdevZoneState.Full, zone.Start + Capacity);
                break;
            case BdevZoneAction.Reset:
                zone.State = BdevZoneState.Empty;
                if (_defect != ZoneDefect.ResetKeepsThePointer || zone.WritePointer != zone.Start + 5) zone.WritePointer = zone.Start;
                break;
            default:
                return BdevZoneErrors.InvalidTransition;
        }
        return BdevIoResult.Of(BdevIoStatus.Success);
    }

    private BdevIoResult Write(ref BdevZoneInfo zone, BdevIo io)
    {
        bool append = io.Type == BdevIoType.ZoneAppend;
        if (zone.State == BdevZoneState.Full)
        {
            if (_defect != ZoneDefect.FullIsWritableAgain || append) return BdevZoneErrors.Full;
            zone.WritePointer = io.OffsetBlocks;
        }
        ulong block = append ? zone.WritePointer : io.OffsetBlocks;
        if (block != zone.WritePointer && _defect != ZoneDefect.WritesAnywhere) return BdevZoneErrors.InvalidWrite;
        if (block + io.NumBlocks > zone.Start + Capacity) return BdevZoneErrors.Boundary;
        if (Limit(zone.State) is { } limit) return limit;
        int at = (int)block * 512;
        foreach (var vector in io.Iovs)
        {
            vector.Span.CopyTo(_data.AsSpan(at));
            at += (int)vector.Length;
        }
        zone.WritePointer = Math.Max(zone.WritePointer, block + io.NumBlocks);
        if (zone.WritePointer == zone.Start + Capacity) zone.State = BdevZoneState.Full;
        else if (zone.State != BdevZoneState.ExplicitlyOpen || _defect == ZoneDefect.WriteForgetsTheOpen) zone.State = BdevZoneState.ImplicitlyOpen;
        return append ? BdevIoResult.WithValue(_defect == ZoneDefect.AppendSaysTheEnd ? zone.WritePointer : block) : BdevIoResult.Of(BdevIoStatus.Success);
    }

    private sealed class Channel : IoChannel;
}
