using Spindle.Bdevs;
using Spindle.Nvme;

namespace Spindle.Frontend.Nvmf.Subsystems;

/// <summary>A namespace: a bdev under an NSID, with the names by which hosts know it again. Constant, but for the bdev's size; on any thread.</summary>
internal sealed class NvmfNamespace
{
    /// <summary>The NSID, from 1.</summary>
    public required uint Nsid { get; init; }

    /// <summary>The open bdev. The descriptor is closed by the thread that opened it, the app thread.</summary>
    public required IBdevDescriptor Descriptor { get; init; }

    /// <summary>The bdev.</summary>
    public Bdev Bdev => Descriptor.Bdev;

    /// <summary>Namespace Globally Unique Identifier; all zeroes: none.</summary>
    public required UuidBytes Nguid { get; init; }

    /// <summary>IEEE Extended Unique Identifier; all zeroes: none.</summary>
    public required Bytes8 Eui64 { get; init; }

    /// <summary>The UUID; the empty one: none.</summary>
    public required Guid Uuid { get; init; }

    /// <summary>The ANA group, 1 to the subsystem's largest NSID.</summary>
    public required uint AnaGroupId { get; init; }

    /// <summary>It is of the Zoned Namespace command set.</summary>
    public bool IsZoned => Bdev.IsZoned;

    /// <summary>The bdev takes zone appends. Reference tags that are block addresses would have to be made here, when the block is known: those bdevs are written only.</summary>
    public bool CanAppend => IsZoned && Bdev.Supports(BdevIoType.ZoneAppend) && Bdev.DifType is DifType.None or DifType.Type3;

    /// <summary>Bytes of metadata that hosts see in each block, after its data.</summary>
    public uint MetadataSize => Descriptor.MetadataSize;

    /// <summary>Hosts see protection information.</summary>
    public bool HasProtection => MetadataSize != 0 && Bdev.DifType != DifType.None;

    /// <summary>Hosts may have protection information inserted and stripped by the command: the metadata is nothing else (NVM Command Set Specification 1.0, 5.2.2.1).</summary>
    public bool InsertsProtection => HasProtection && MetadataSize == (Bdev.DifFormat == DifFormat.Guard16 ? 8u : 16u);

    /// <summary>Bytes of data in a block: the LBA data size.</summary>
    public uint DataBlockSize => Descriptor.BlockSize - MetadataSize;
}
