using Spindle.Memory;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Bdevs;

/// <summary>A block device: what a backend implements. Four members are required: a constructor call with the geometry,
/// <see cref="Supports"/>, <see cref="IoDevice.CreateChannel"/> and <see cref="Submit"/>.</summary>
/// <remarks>Geometry is set before <see cref="IBdevRegistry.Register"/> and constant afterwards, except the block count (<see cref="IBdevRegistry.Resize"/>).</remarks>
public abstract class Bdev : IoDevice
{
    internal object? HostEntry;

    /// <param name="name">Unique among names, aliases and UUIDs.</param>
    /// <param name="productName">What <c>bdev_get_bdevs</c> shows as product, "Malloc disk" for example.</param>
    /// <param name="blockSize">Bytes of a block, data and interleaved metadata together.</param>
    /// <param name="blockCount">Blocks.</param>
    protected Bdev(string name, string productName, uint blockSize, ulong blockCount)
    {
        Name = name;
        ProductName = productName;
        BlockSize = blockSize;
        BlockCount = blockCount;
    }

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>The kind of device, for people.</summary>
    public string ProductName { get; }

    /// <summary>The module that made it; set by the registry of that module's context.</summary>
    public string ModuleName { get; internal set; } = "";

    /// <summary>Bytes of a block, data and interleaved metadata together; a multiple of 512 plus that metadata.</summary>
    public uint BlockSize { get; protected init; }

    /// <summary>Blocks. Changed by <see cref="IBdevRegistry.Resize"/> only.</summary>
    public ulong BlockCount { get; internal set; }

    /// <summary>Identity that outlives the process; made up when the bdev is registered with the empty one.</summary>
    public Guid Uuid { get; set; }

    /// <summary>Other names, given at registration; later ones by <see cref="IBdevRegistry.AddAlias"/>.</summary>
    public IList<string> Aliases { get; } = new List<string>();

    /// <summary>Bytes of metadata for each block; 0 for none.</summary>
    public uint MetadataSize { get; protected init; }

    /// <summary>True when the metadata lies in each block after its data, false when it is in a buffer of its own.</summary>
    public bool MetadataInterleaved { get; protected init; }

    /// <summary>Protection information in the metadata. A bdev that has it leaves, where it unmaps or writes zeroes itself, blocks that pass the checks (information that fits, or
    /// application tag FFFFh and for type 3 a reference tag of all ones), and where it copies itself, reference tags of the new place.</summary>
    public DifType DifType { get; protected init; }

    /// <summary>The layout of the protection information.</summary>
    public DifFormat DifFormat { get; protected init; }

    /// <summary>True when the protection information is at the beginning of the metadata, false at its end.</summary>
    public bool DifIsHeadOfMetadata { get; protected init; }

    /// <summary>What to check of the protection information.</summary>
    public DifCheckFlags DifCheckFlags { get; protected init; }

    /// <summary>Bytes; the unit a device writes without reading; 0: as <see cref="BlockSize"/>.</summary>
    public uint PhysicalBlockSize { get; protected init; }

    /// <summary>Blocks that a write should cover at least; 0 or 1: no constraint. With <see cref="SplitOnWriteUnit"/> other writes are refused.</summary>
    public uint WriteUnitBlocks { get; protected init; } = 1;

    /// <summary>True when writes must be multiples of <see cref="WriteUnitBlocks"/>: the host splits large ones and refuses others.</summary>
    public bool SplitOnWriteUnit { get; protected init; }

    /// <summary>Blocks between boundaries that I/O should not cross; 0 for none.</summary>
    public uint OptimalIoBoundary { get; protected init; }

    /// <summary>True when the host is to split reads and writes at <see cref="OptimalIoBoundary"/>.</summary>
    public bool SplitOnOptimalIoBoundary { get; protected init; }

    /// <summary>Blocks of the largest read or write; larger ones are split by the host. 0: no limit.</summary>
    public uint MaxRwBlocks { get; protected init; }

    /// <summary>I/O vectors of the largest read or write; 0: no limit.</summary>
    public int MaxSegments { get; protected init; }

    /// <summary>Bytes of the largest I/O vector; 0: no limit.</summary>
    public uint MaxSegmentSize { get; protected init; }

    /// <summary>Blocks of the largest unmap; 0: no limit.</summary>
    public ulong MaxUnmapBlocks { get; protected init; }

    /// <summary>Blocks of the largest write zeroes; 0: no limit.</summary>
    public ulong MaxWriteZeroesBlocks { get; protected init; }

    /// <summary>Blocks of the largest copy; 0: no limit.</summary>
    public ulong MaxCopyBlocks { get; protected init; }

    /// <summary>Blocks that compare-and-write handles atomically; 0: as many as one I/O holds.</summary>
    public ushort AtomicCompareAndWriteBlocks { get; protected init; }

    /// <summary>Bytes, a power of two: what the address and length of each I/O vector must be a multiple of. The host copies through a buffer of its own otherwise.</summary>
    public uint RequiredAlignment { get; protected init; } = 1;

    /// <summary>True when completed writes may be lost by a power cut until a flush.</summary>
    public bool WriteCache { get; protected init; }

    /// <summary>Blocks from the start of a zone to the start of the next one; 0 for a bdev that is not zoned. A zoned bdev consists of whole zones, is written at their
    /// write pointers, and supports <see cref="BdevIoType.GetZoneInfo"/> and <see cref="BdevIoType.ZoneManagement"/>.</summary>
    public ulong ZoneSizeBlocks { get; protected init; }

    /// <summary>True for a zoned bdev.</summary>
    public bool IsZoned => ZoneSizeBlocks != 0;

    /// <summary>The number of zones; 0 for a bdev that is not zoned.</summary>
    public ulong ZoneCount => ZoneSizeBlocks == 0 ? 0 : BlockCount / ZoneSizeBlocks;

    /// <summary>Blocks of the largest zone append; 0: as the largest write, within a zone. The host does not split an append.</summary>
    public uint MaxZoneAppendBlocks { get; protected init; }

    /// <summary>Zones that may be open at a time, implicitly or explicitly; 0: no limit.</summary>
    public uint MaxOpenZones { get; protected init; }

    /// <summary>Zones that may be active at a time, open or closed; 0: no limit.</summary>
    public uint MaxActiveZones { get; protected init; }

    /// <summary>Zones that are open at a time for the best speed of writing; 0: not known.</summary>
    public uint OptimalOpenZones { get; protected init; }

    /// <summary>True when one bdev is opened exclusively by this one's module; shown by <c>spindle stack</c>. The names of the bdevs below.</summary>
    public IReadOnlyList<string> BaseBdevNames { get; protected init; } = [];

    /// <summary>Whether the bdev itself carries out a type. The host emulates write zeroes (by writes), compare, and
    /// compare-and-write (by a locked read, compare and write) where it does not; of a zoned bdev only the first two.</summary>
    public abstract bool Supports(BdevIoType type);

    /// <summary>Starts an I/O. It ends by one <see cref="BdevIo.Complete(uint, BdevIoStatus)"/>, now or later. Must not block or throw.</summary>
    /// <param name="channel">The calling thread's channel.</param>
    /// <param name="io">What to do; already checked against the geometry and split to the limits above.</param>
    public abstract void Submit(IoChannel channel, BdevIo io);

    /// <summary>Called once after a batch of submits to a channel: ring a doorbell, flush a send queue.</summary>
    public virtual void FlushChannel(IoChannel channel) { }

    /// <summary>Lends the memory that holds blocks, to be read in place: for a bdev whose data lies in this process's memory, at addresses that do not change while any
    /// channel is open. Whoever reads it takes part in no order with writes of the same blocks. Must not block or throw.</summary>
    /// <param name="offsetBlocks">The first block; the range is checked.</param>
    /// <param name="numBlocks">Blocks.</param>
    /// <param name="memory">Exactly the blocks.</param>
    /// <returns>False, as here, where the data must be read by <see cref="Submit"/>.</returns>
    public virtual bool TryLend(ulong offsetBlocks, ulong numBlocks, out IoVec memory)
    {
        memory = default;
        return false;
    }

    /// <summary>Writes at once, for a bdev where a write is no more than a copy into this process's memory: the data is the caller's again when the call returns. The
    /// bdev has no I/O object of it; it is what a write that completes inside <see cref="Submit"/> is. Not asked of bdevs with metadata or zones. Must not block or throw.</summary>
    /// <param name="offsetBlocks">The first block; the range is checked, against the write unit too.</param>
    /// <param name="data">Whole blocks, in memory that a device may not reach.</param>
    /// <returns>False, as here, where nothing was written and the data must be written by <see cref="Submit"/>.</returns>
    public virtual bool TryWriteAtOnce(ulong offsetBlocks, ReadOnlySpan<byte> data) => false;

    /// <summary>Makes the module's own state for one pooled <see cref="BdevIo"/> (see <see cref="BdevIo.Context"/>). Called when the pool grows.</summary>
    public virtual object? CreateIoContext(BdevIo io) => null;

    /// <summary>Releases what the bdev holds. Called on the app thread when it is unregistered, closed by everyone, and its last channel is gone.</summary>
    public virtual ValueTask DestructAsync() => ValueTask.CompletedTask;

    /// <summary>Adds members to the object that <c>bdev_get_bdevs</c> shows as <c>driver_specific</c>. On the app thread.</summary>
    public virtual void DumpInfo(IRpcWriter writer) { }

    /// <summary>Writes the RPC calls that make this bdev again; nothing when its module or another call does. On the app thread.</summary>
    public virtual void WriteConfig(IConfigWriter writer) { }

    /// <summary>The module context through which the bdev was registered.</summary>
    public IModuleContext? Context { get; internal set; }
}

/// <summary>Protection information types (NVM Command Set Specification 1.0, 5.2; SBC-4, 4.21).</summary>
public enum DifType : byte
{
    /// <summary>None.</summary>
    None = 0,
    /// <summary>Guard, application tag, and a reference tag that is the low 32 bits of the block address.</summary>
    Type1 = 1,
    /// <summary>As type 1, with an initial reference tag in the command.</summary>
    Type2 = 2,
    /// <summary>Guard and application tag; the reference tag is not checked.</summary>
    Type3 = 3,
}

/// <summary>What to check of the protection information. The values are SPDK's.</summary>
[Flags]
public enum DifCheckFlags : uint
{
    /// <summary>Nothing.</summary>
    None = 0,
    /// <summary>The reference tag.</summary>
    ReferenceTag = 1 << 26,
    /// <summary>The application tag.</summary>
    ApplicationTag = 1 << 27,
    /// <summary>The guard.</summary>
    Guard = 1 << 28,
}
