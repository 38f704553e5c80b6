using System.Runtime.InteropServices;

namespace Spindle.Nvme.Commands;

/// <summary>Status Code Type (SCT; NVMe Base Specification 2.0, Figure 95).</summary>
public enum StatusCodeType : byte
{
    Generic = 0x0,
    CommandSpecific = 0x1,
    MediaAndDataIntegrity = 0x2,
    PathRelated = 0x3,
    VendorSpecific = 0x7,
}

/// <summary>
/// The status half of completion dword 3: bit 0 phase tag (P), 8:1 status code (SC), 11:9 status code type (SCT),
/// 13:12 command retry delay (CRD), 14 more (M), 15 do not retry (DNR). NVMe Base Specification 2.0, Figure 93.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 2, Pack = 1)]
public readonly struct StatusField : IEquatable<StatusField>
{
    [FieldOffset(0)] private readonly ushort raw;

    /// <summary>From the 16 bits as they stand in a completion.</summary>
    public StatusField(ushort raw) => this.raw = raw;

    /// <summary>From its parts, phase tag 0; <paramref name="crd"/> 0 to 3.</summary>
    public StatusField(StatusCodeType sct, byte sc, bool dnr = false, bool more = false, byte crd = 0) =>
        raw = (ushort)((sc << 1) | (((byte)sct & 0x7) << 9) | ((crd & 0x3) << 12) | (more ? 1 << 14 : 0) | (dnr ? 1 << 15 : 0));

    public StatusField(GenericStatusCode sc, bool dnr = false) : this(StatusCodeType.Generic, (byte)sc, dnr) { }
    public StatusField(CommandSpecificStatusCode sc, bool dnr = false) : this(StatusCodeType.CommandSpecific, (byte)sc, dnr) { }
    public StatusField(FabricsStatusCode sc, bool dnr = false) : this(StatusCodeType.CommandSpecific, (byte)sc, dnr) { }
    public StatusField(MediaStatusCode sc, bool dnr = false) : this(StatusCodeType.MediaAndDataIntegrity, (byte)sc, dnr) { }
    public StatusField(PathStatusCode sc, bool dnr = false) : this(StatusCodeType.PathRelated, (byte)sc, dnr) { }

    /// <summary>Successful completion; all bits zero.</summary>
    public static StatusField Success => default;

    /// <summary>The 16 bits as they stand in a completion.</summary>
    public ushort Raw => raw;

    /// <summary>Phase Tag (P).</summary>
    public bool PhaseTag => (raw & 1) != 0;

    /// <summary>Status Code (SC).</summary>
    public byte StatusCode => (byte)(raw >> 1);

    /// <summary>Status Code Type (SCT).</summary>
    public StatusCodeType StatusCodeType => (StatusCodeType)((raw >> 9) & 0x7);

    /// <summary>Command Retry Delay (CRD): 0 none, 1 to 3 select CRDT1 to CRDT3.</summary>
    public byte CommandRetryDelay => (byte)((raw >> 12) & 0x3);

    /// <summary>More (M): the Error Information log page says more.</summary>
    public bool More => (raw & (1 << 14)) != 0;

    /// <summary>Do Not Retry (DNR).</summary>
    public bool DoNotRetry => (raw & (1 << 15)) != 0;

    /// <summary>SC and SCT are zero.</summary>
    public bool IsSuccess => (raw & 0x0FFE) == 0;

    /// <summary>Whether SCT and SC are these, whatever P, CRD, M and DNR are.</summary>
    public bool Is(StatusCodeType sct, byte sc) => StatusCodeType == sct && StatusCode == sc;
    public bool Is(GenericStatusCode sc) => Is(StatusCodeType.Generic, (byte)sc);
    public bool Is(CommandSpecificStatusCode sc) => Is(StatusCodeType.CommandSpecific, (byte)sc);
    public bool Is(FabricsStatusCode sc) => Is(StatusCodeType.CommandSpecific, (byte)sc);
    public bool Is(MediaStatusCode sc) => Is(StatusCodeType.MediaAndDataIntegrity, (byte)sc);
    public bool Is(PathStatusCode sc) => Is(StatusCodeType.PathRelated, (byte)sc);

    /// <summary>The same status with the phase tag set to <paramref name="phase"/> (PCIe queues).</summary>
    public StatusField WithPhase(bool phase) => new((ushort)((raw & ~1) | (phase ? 1 : 0)));

    /// <summary>The same status with DNR set.</summary>
    public StatusField WithDoNotRetry() => new((ushort)(raw | (1 << 15)));

    public bool Equals(StatusField other) => raw == other.raw;
    public override bool Equals(object? obj) => obj is StatusField other && Equals(other);
    public override int GetHashCode() => raw;
    public static bool operator ==(StatusField left, StatusField right) => left.raw == right.raw;
    public static bool operator !=(StatusField left, StatusField right) => left.raw != right.raw;

    /// <summary>For logs and messages: the names of type and code, and DNR, M and CRD where set.</summary>
    public override string ToString()
    {
        string code = StatusCodeType switch
        {
            StatusCodeType.Generic => ((GenericStatusCode)StatusCode).ToString(),
            // 80h and above mean one thing for fabrics commands and another for the NVM command set.
            StatusCodeType.CommandSpecific when StatusCode >= 0x80 => $"0x{StatusCode:X2}",
            StatusCodeType.CommandSpecific => ((CommandSpecificStatusCode)StatusCode).ToString(),
            StatusCodeType.MediaAndDataIntegrity => ((MediaStatusCode)StatusCode).ToString(),
            StatusCodeType.PathRelated => ((PathStatusCode)StatusCode).ToString(),
            _ => $"0x{StatusCode:X2}",
        };
        return $"{StatusCodeType}/{code} ({(byte)StatusCodeType:X}/{StatusCode:X2}){(DoNotRetry ? " DNR" : "")}{(More ? " M" : "")}{(CommandRetryDelay != 0 ? $" CRD{CommandRetryDelay}" : "")}";
    }
}
