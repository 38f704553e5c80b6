using System.Runtime.InteropServices;
using Spindle.Nvme.Commands;

namespace Spindle.Nvme.Zoned;

/// <summary>Zone Management Send command (ZNS Command Set Specification 1.1, section 3.4.3).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct ZoneManagementSendCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Starting LBA: the zone's lowest; ignored with <see cref="SelectAll"/>.</summary>
    [FieldOffset(40)] public ulong Slba;

    /// <summary>Zone Send Action (ZSA).</summary>
    [FieldOffset(52)] public ZoneSendAction Action;

    /// <summary>Bit 0 Select All, bit 1 Zone Send Action Specific Option.</summary>
    [FieldOffset(53)] public byte Options;

    /// <summary>Select All: every zone whose state the action applies to.</summary>
    public bool SelectAll
    {
        readonly get => (Options & 1) != 0;
        set => Options = (byte)((Options & ~1) | (value ? 1 : 0));
    }
}

/// <summary>Zone Send Action (ZNS Command Set Specification 1.1, Figure 36).</summary>
public enum ZoneSendAction : byte
{
    Close = 0x01,
    Finish = 0x02,
    Open = 0x03,
    Reset = 0x04,
    Offline = 0x05,
    SetZoneDescriptorExtension = 0x10,
    FlushRandomWriteArea = 0x11,
}

/// <summary>Zone Management Receive command (ZNS Command Set Specification 1.1, section 3.4.2).</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct ZoneManagementReceiveCommand : ICommandOverlay
{
    [FieldOffset(0)] public SubmissionQueueEntry Sqe;

    /// <summary>Starting LBA: the report begins with the zone that it is in.</summary>
    [FieldOffset(40)] public ulong Slba;

    /// <summary>Number of Dwords, 0's based.</summary>
    [FieldOffset(48)] public uint Numd;

    /// <summary>Zone Receive Action (ZRA).</summary>
    [FieldOffset(52)] public ZoneReceiveAction Action;

    /// <summary>Zone Receive Action Specific Field (ZRASF): which zones are reported.</summary>
    [FieldOffset(53)] public ZoneReportFilter Filter;

    /// <summary>Bit 0: Partial Report.</summary>
    [FieldOffset(54)] public byte Options;

    /// <summary>Partial Report: Number of Zones counts the descriptors in the buffer, else all zones that match.</summary>
    public bool Partial
    {
        readonly get => (Options & 1) != 0;
        set => Options = (byte)((Options & ~1) | (value ? 1 : 0));
    }

    /// <summary>Length to return in bytes.</summary>
    public ulong LengthInBytes
    {
        readonly get => ((ulong)Numd + 1) * 4;
        set => Numd = (uint)(value / 4 - 1);
    }
}

/// <summary>Zone Receive Action.</summary>
public enum ZoneReceiveAction : byte
{
    ReportZones = 0x00,
    ExtendedReportZones = 0x01,
}

/// <summary>Which zones a report is to have (ZNS Command Set Specification 1.1, Figure 30).</summary>
public enum ZoneReportFilter : byte
{
    All = 0,
    Empty = 1,
    ImplicitlyOpened = 2,
    ExplicitlyOpened = 3,
    Closed = 4,
    Full = 5,
    ReadOnly = 6,
    Offline = 7,
}
