using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spindle.Nvme.Fabrics;

namespace Spindle.Nvme.Commands;

/// <summary>A 64-byte structure that overlays a <see cref="SubmissionQueueEntry"/> with the field names of one command.</summary>
public interface ICommandOverlay;

/// <summary>Submission queue entry, 64 bytes (NVMe Base Specification 2.0, Figure 86 and 87). Little-endian.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64, Pack = 1)]
public struct SubmissionQueueEntry
{
    /// <summary>Opcode: <see cref="AdminOpcode"/> or <see cref="NvmOpcode"/>, by queue.</summary>
    [FieldOffset(0)] public byte Opcode;

    /// <summary>FUSE in bits 1:0, PSDT in bits 7:6.</summary>
    [FieldOffset(1)] public byte Flags;

    /// <summary>Command Identifier, unique among the commands outstanding on the queue.</summary>
    [FieldOffset(2)] public ushort Cid;

    /// <summary>Namespace Identifier.</summary>
    [FieldOffset(4)] public uint Nsid;

    /// <summary>Fabrics Command Type; takes the place of NSID when the opcode is 7Fh.</summary>
    [FieldOffset(4)] public FabricsCommandType Fctype;

    [FieldOffset(8)] public uint Cdw2;
    [FieldOffset(12)] public uint Cdw3;

    /// <summary>Metadata Pointer.</summary>
    [FieldOffset(16)] public ulong Mptr;

    /// <summary>First SGL descriptor of the data pointer (DPTR), when PSDT is not 00b.</summary>
    [FieldOffset(24)] public SglDescriptor Sgl1;

    /// <summary>PRP entry 1 of the data pointer, when PSDT is 00b.</summary>
    [FieldOffset(24)] public ulong Prp1;

    /// <summary>PRP entry 2 of the data pointer, when PSDT is 00b.</summary>
    [FieldOffset(32)] public ulong Prp2;

    [FieldOffset(40)] public uint Cdw10;
    [FieldOffset(44)] public uint Cdw11;
    [FieldOffset(48)] public uint Cdw12;
    [FieldOffset(52)] public uint Cdw13;
    [FieldOffset(56)] public uint Cdw14;
    [FieldOffset(60)] public uint Cdw15;

    /// <summary>Fused operation (FUSE).</summary>
    public FusedOperation Fuse
    {
        readonly get => (FusedOperation)(Flags & 0x03);
        set => Flags = (byte)((Flags & 0xFC) | ((byte)value & 0x03));
    }

    /// <summary>PRP or SGL for Data Transfer (PSDT).</summary>
    public PrpOrSgl Psdt
    {
        readonly get => (PrpOrSgl)(Flags >> 6);
        set => Flags = (byte)((Flags & 0x3F) | ((byte)value << 6));
    }

    /// <summary>Whether the command is a fabrics command (opcode 7Fh).</summary>
    public readonly bool IsFabrics => Opcode == (byte)AdminOpcode.FabricsCommands;

    /// <summary>Direction of the command's data, from its opcode, or from FCTYPE for a fabrics command.</summary>
    public readonly DataTransferDirection DataTransfer => (DataTransferDirection)((IsFabrics ? (byte)Fctype : Opcode) & 0x03);

    /// <summary>This entry seen as one command's own structure; no copy.</summary>
    [UnscopedRef]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref T As<T>() where T : unmanaged, ICommandOverlay => ref Unsafe.As<SubmissionQueueEntry, T>(ref this);

    /// <summary>The 64 bytes of this entry; no copy.</summary>
    [UnscopedRef]
    public Span<byte> AsBytes() => MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref this, 1));
}
