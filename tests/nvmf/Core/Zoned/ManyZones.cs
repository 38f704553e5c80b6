using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.NvmfTests.Core.Zoned;

/// <summary>Many zones in whatever states a test gives them; keeps no data. An append is said to have been at block 3 of its zone.</summary>
internal sealed class ManyZones : Bdev
{
    public const ulong Size = 8;

    public ManyZones(string name, int count, bool appends = true, DifType dif = DifType.None, bool writeCache = false) : base(name, "Many zones", dif == DifType.None ? 512u : 520, (ulong)count * Size)
    {
        ZoneSizeBlocks = Size;
        WriteCache = writeCache;
        Appends = appends;
        DifType = dif;
        MetadataSize = dif == DifType.None ? 0u : 8;
        MetadataInterleaved = dif != DifType.None;
        Zones = [.. Enumerable.Range(0, count).Select(i => new BdevZoneInfo { Start = (ulong)i * Size, WritePointer = (ulong)i * Size, Capacity = Size, Type = BdevZoneType.SequentialWriteRequired })];
    }

    public bool Appends { get; }
    public BdevZoneInfo[] Zones { get; }

    /// <summary>Zones that something was done to, in order.</summary>
    public List<(BdevZoneAction Action, int Zone)> Managed { get; } = [];

    /// <summary>Ranges that were flushed.</summary>
    public List<(ulong Offset, ulong Blocks)> Flushed { get; } = [];

    public Func<BdevIo, BdevIoResult?>? Answer { get; set; }

    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Flush or BdevIoType.GetZoneInfo or BdevIoType.ZoneManagement
        || (Appends && type == BdevIoType.ZoneAppend);

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    public override void Submit(IoChannel channel, BdevIo io)
    {
        int zone = (int)(io.OffsetBlocks / Size);
        var result = Answer?.Invoke(io);
        if (result is null)
        {
            lock (Zones)
            {
                switch (io.Type)
                {
                    case BdevIoType.GetZoneInfo:
                        Zones.AsSpan(zone, io.Zones.Length).CopyTo(io.Zones.Span);
                        break;
                    case BdevIoType.ZoneManagement:
                        Managed.Add((io.ZoneAction, zone));
                        break;
                    case BdevIoType.Flush:
                        Flushed.Add((io.OffsetBlocks, io.NumBlocks));
                        break;
                }
            }
            result = io.Type == BdevIoType.ZoneAppend ? BdevIoResult.WithValue(io.OffsetBlocks + 3) : BdevIoResult.Of(BdevIoStatus.Success);
        }
        io.Complete(io.Generation, result.Value);
    }

    private sealed class Channel : IoChannel;
}
