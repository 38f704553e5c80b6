using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Spindle.Nvme.Commands;

/// <summary>Completion queue entry, 16 bytes (NVMe Base Specification 2.0, Figure 91 to 94). Little-endian.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16, Pack = 1)]
public struct CompletionQueueEntry
{
    /// <summary>Command specific result, low dword.</summary>
    [FieldOffset(0)] public uint Cdw0;

    /// <summary>Command specific result, high dword.</summary>
    [FieldOffset(4)] public uint Cdw1;

    /// <summary>Both result dwords (Property Get, fabrics responses).</summary>
    [FieldOffset(0)] public ulong Result;

    /// <summary>SQ Head Pointer: the submission queue's head after the controller fetched this command.</summary>
    [FieldOffset(8)] public ushort Sqhd;

    /// <summary>SQ Identifier; reserved over fabrics.</summary>
    [FieldOffset(10)] public ushort Sqid;

    /// <summary>Command Identifier of the completed command.</summary>
    [FieldOffset(12)] public ushort Cid;

    /// <summary>Phase tag in bit 0 (0 over fabrics), status in bits 15:1.</summary>
    [FieldOffset(14)] public StatusField Status;

    /// <summary>The 16 bytes of this entry; no copy.</summary>
    [UnscopedRef]
    public Span<byte> AsBytes() => MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref this, 1));
}
