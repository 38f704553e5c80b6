using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Spindle.Bdevs;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Identify;

namespace Spindle.Bdev.Nvme.Namespaces;

/// <summary>What a controller says of a namespace, checked.</summary>
internal sealed record NamespaceInfo
{
    private const int MaxBlockShift = 16; // 64 KiB

    internal required uint Nsid { get; init; }
    internal required ulong Blocks { get; init; }
    /// <summary>Bytes of data in a block.</summary>
    internal required uint DataSize { get; init; }
    /// <summary>Bytes of metadata that follow the data of each block.</summary>
    internal uint MetadataSize { get; init; }
    internal DifType DifType { get; init; }
    internal bool DifIsHead { get; init; }
    internal Guid Uuid { get; init; }
    internal Guid Nguid { get; init; }
    internal ulong Eui64 { get; init; }
    internal uint AnaGroup { get; init; }
    internal bool CanShare { get; init; }
    /// <summary>Blocks that are compared and written as one; 0: the controller's.</summary>
    internal ushort AtomicCompareAndWriteBlocks { get; init; }
    /// <summary>Blocks of the largest copy in one source range.</summary>
    internal uint MaxCopyBlocks { get; init; }
    internal ushort OptimalBoundary { get; init; }

    internal uint BlockSize => DataSize + MetadataSize;

    /// <summary>The same namespace by what never changes of it.</summary>
    internal bool IsSame(NamespaceInfo other) => Nsid == other.Nsid && Uuid == other.Uuid && Nguid == other.Nguid && Eui64 == other.Eui64;

    /// <summary>The blocks are made alike.</summary>
    internal bool HasFormatOf(NamespaceInfo other) => DataSize == other.DataSize && MetadataSize == other.MetadataSize && DifType == other.DifType && DifIsHead == other.DifIsHead;

    /// <summary>Reads it out of the structures of Identify (CNS 00h and 03h).</summary>
    /// <param name="nsid">The namespace.</param>
    /// <param name="data">Identify Namespace.</param>
    /// <param name="descriptors">The identification descriptors; empty where the controller has none.</param>
    /// <param name="why">Why it cannot be a bdev.</param>
    internal static NamespaceInfo? Parse(uint nsid, ReadOnlySpan<byte> data, ReadOnlySpan<byte> descriptors, out string why)
    {
        var identify = WireBuffer.Read<IdentifyNamespace>(data);
        var (uuid, csi) = Descriptors(descriptors);
        var format = identify.Lbaf[identify.FormatIndex];
        why = "";
        if (csi != CommandSetIdentifier.Nvm) why = $"its command set {(byte)csi:x2}h is not supported";
        else if (identify.Nsze == 0) why = "it has no blocks";
        else if (format.Lbads is < 9 or > MaxBlockShift) why = $"blocks of 2^{format.Lbads} bytes are not supported (LBADS)";
        else if (identify.Nsze > (ulong)long.MaxValue >> format.Lbads + 1) why = $"{identify.Nsze} blocks are more than a bdev can have (NSZE)";
        else if (format.Ms != 0 && (identify.Flbas & 0x10) == 0) why = "it has metadata beside its blocks, which NVMe over Fabrics cannot carry (FLBAS)";
        else if ((identify.Dps & 7) > 3) why = $"protection information of type {identify.Dps & 7} does not exist (DPS)";
        if (why.Length > 0) return null;
        ReadOnlySpan<byte> eui = identify.Eui64;
        return new NamespaceInfo
        {
            Nsid = nsid,
            Blocks = identify.Nsze,
            DataSize = 1u << format.Lbads,
            MetadataSize = format.Ms,
            DifType = format.Ms >= 8 ? (DifType)(identify.Dps & 7) : DifType.None,
            DifIsHead = (identify.Dps & 8) != 0,
            Uuid = uuid,
            Nguid = identify.Nguid.ToGuid(),
            Eui64 = BinaryPrimitives.ReadUInt64BigEndian(eui),
            AnaGroup = identify.Anagrpid,
            CanShare = (identify.Nmic & NamespaceSharing.Shared) != 0,
            AtomicCompareAndWriteBlocks = (ushort)((identify.Nsfeat & NamespaceFeatures.AtomicUnits) != 0 ? Math.Min(identify.Nacwu + 1, ushort.MaxValue) : 0),
            MaxCopyBlocks = identify.Mcl == 0 ? identify.Mssrl : Math.Min(identify.Mssrl, identify.Mcl),
            OptimalBoundary = identify.Noiob,
        };
    }

    private static (Guid Uuid, CommandSetIdentifier Csi) Descriptors(ReadOnlySpan<byte> list)
    {
        var uuid = Guid.Empty;
        var csi = CommandSetIdentifier.Nvm;
        var reader = new NamespaceIdentificationDescriptorReader(list);
        while (reader.TryRead(out var type, out var identifier))
        {
            if (identifier.Length != NamespaceIdentificationDescriptor.LengthOf(type)) continue;
            if (type == NamespaceIdentifierType.Uuid) uuid = new Guid(identifier, bigEndian: true);
            else if (type == NamespaceIdentifierType.Csi) csi = (CommandSetIdentifier)identifier[0];
        }
        return (uuid, csi);
    }

    /// <summary>The bdev's UUID: the namespace's, else its NGUID, else one made from what else is known of it, the same every time.</summary>
    internal Guid BdevUuid(string subnqn, string serialNumber)
    {
        if (Uuid != Guid.Empty) return Uuid;
        if (Nguid != Guid.Empty) return Nguid;
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{subnqn}\0{serialNumber}\0{Nsid}\0{Eui64:x16}"), hash);
        hash[6] = (byte)(hash[6] & 0x0f | 0x80); // version 8: made by a rule of one's own (RFC 9562, 5.8)
        hash[8] = (byte)(hash[8] & 0x3f | 0x80);
        return new Guid(hash[..16], bigEndian: true);
    }
}
