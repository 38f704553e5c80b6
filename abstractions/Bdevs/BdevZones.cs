using System.Runtime.InteropServices;

namespace Spindle.Bdevs;

/// <summary>What to do to a zone: <see cref="IBdevChannel.ZoneManagement"/>. The values are those of NVMe's Zone Send Action (ZNS Command Set Specification 1.1, 3.4.3).</summary>
public enum BdevZoneAction : byte
{
    /// <summary>No action; never submitted.</summary>
    None = 0,
    /// <summary>An open zone becomes closed: it keeps its write pointer and no longer counts as open.</summary>
    Close = 1,
    /// <summary>The zone becomes full: nothing more is written until it is reset.</summary>
    Finish = 2,
    /// <summary>The zone becomes explicitly open, and stays so until it is full, closed, finished or reset.</summary>
    Open = 3,
    /// <summary>The zone becomes empty: its write pointer goes back to its first block.</summary>
    Reset = 4,
    /// <summary>A read-only zone becomes an offline one.</summary>
    Offline = 5,
}

/// <summary>The state of a zone. The values are SPDK's.</summary>
public enum BdevZoneState : byte
{
    /// <summary>Nothing is written: the write pointer is at the first block.</summary>
    Empty = 0,
    /// <summary>Opened by a write.</summary>
    ImplicitlyOpen = 1,
    /// <summary>Written to its capacity, or finished.</summary>
    Full = 2,
    /// <summary>Written in part, and not open.</summary>
    Closed = 3,
    /// <summary>May be read only.</summary>
    ReadOnly = 4,
    /// <summary>May be neither read nor written.</summary>
    Offline = 5,
    /// <summary>Opened by <see cref="BdevZoneAction.Open"/>.</summary>
    ExplicitlyOpen = 6,
    /// <summary>Has no write pointer: a conventional zone.</summary>
    NoWritePointer = 7,
}

/// <summary>How a zone may be written. The values are SPDK's.</summary>
public enum BdevZoneType : byte
{
    /// <summary>Anywhere in any order.</summary>
    Conventional = 1,
    /// <summary>At the write pointer only.</summary>
    SequentialWriteRequired = 2,
    /// <summary>Anywhere, but best at the write pointer.</summary>
    SequentialWritePreferred = 3,
}

/// <summary>One zone as <see cref="IBdevChannel.GetZoneInfo"/> finds it.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct BdevZoneInfo
{
    /// <summary>The zone's first block.</summary>
    public ulong Start { get; set; }

    /// <summary>The block that is written next; <see cref="Start"/> + <see cref="Capacity"/> in a full zone. Means nothing in a zone that is read-only, offline or
    /// without write pointer.</summary>
    public ulong WritePointer { get; set; }

    /// <summary>Blocks from <see cref="Start"/> that can be written: at most <see cref="Bdev.ZoneSizeBlocks"/>. What is behind them is never written.</summary>
    public ulong Capacity { get; set; }

    /// <summary>The state.</summary>
    public BdevZoneState State { get; set; }

    /// <summary>How it may be written.</summary>
    public BdevZoneType Type { get; set; }
}

/// <summary>How an I/O ends that a zone's state does not allow, or its limits: what a zoned bdev completes it with, and a front-end hands on. Each is an NVMe status,
/// command specific, of the ZNS Command Set Specification 1.1 (3.2), not to be retried.</summary>
public static class BdevZoneErrors
{
    /// <summary>It reaches into another zone, or beyond what can be written of this one.</summary>
    public static BdevIoResult Boundary => Of(0xB8);

    /// <summary>A write to a full zone.</summary>
    public static BdevIoResult Full => Of(0xB9);

    /// <summary>A write to a read-only zone.</summary>
    public static BdevIoResult ReadOnly => Of(0xBA);

    /// <summary>The zone is offline.</summary>
    public static BdevIoResult Offline => Of(0xBB);

    /// <summary>A write that is not at the write pointer.</summary>
    public static BdevIoResult InvalidWrite => Of(0xBC);

    /// <summary>It would make one zone more active than <see cref="Bdev.MaxActiveZones"/>.</summary>
    public static BdevIoResult TooManyActive => Of(0xBD);

    /// <summary>It would make one zone more open than <see cref="Bdev.MaxOpenZones"/>.</summary>
    public static BdevIoResult TooManyOpen => Of(0xBE);

    /// <summary>The action is none that leads out of the zone's state.</summary>
    public static BdevIoResult InvalidTransition => Of(0xBF);

    private static BdevIoResult Of(byte code) => BdevIoResult.FromNvme(1, code, doNotRetry: true);
}
