using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.Bdev.Raid;

/// <summary>A bdev that is open and claimed for a slot of an array. Another object for each time that one is put in.</summary>
public sealed class RaidMember
{
    internal RaidMember(int slot, IBdevDescriptor descriptor, ulong dataOffset, ulong dataBlocks)
    {
        (Slot, Descriptor, DataOffset, DataBlocks) = (slot, descriptor, dataOffset, dataBlocks);
        Reported = state => ((Action<RaidMember>)state!)(this);
    }

    /// <summary>Its place in the array.</summary>
    public int Slot { get; }

    /// <summary>The bdev, open for writing.</summary>
    public IBdevDescriptor Descriptor { get; }

    /// <summary>Its name.</summary>
    public string Name => Descriptor.Bdev.Name;

    /// <summary>The first block of the data region.</summary>
    public ulong DataOffset { get; }

    /// <summary>Blocks of the data region.</summary>
    public ulong DataBlocks { get; internal set; }

    /// <summary>True once it is on its way out.</summary>
    internal bool IsLeaving { get; set; }

    /// <summary>True once the others have it in writing that it is out.</summary>
    internal bool IsWrittenOff { get; set; }

    internal StorageMessage Reported { get; }
}
