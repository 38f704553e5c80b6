using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Bdev.Raid;

/// <summary>What one array does with an I/O: where its blocks are, how they are written so that members may fail, how a member is rebuilt. Made when the array comes up.</summary>
public abstract class RaidLevel(RaidGeometry geometry)
{
    /// <summary>The array.</summary>
    public RaidGeometry Geometry { get; } = geometry;

    /// <summary>Blocks that a write must be a multiple of: the host splits larger ones and refuses others. 1: none.</summary>
    public virtual uint WriteUnitBlocks => 1;

    /// <summary>Blocks at whose multiples the host splits reads and writes; 0: it does not.</summary>
    public virtual uint OptimalIoBoundary => 0;

    /// <summary>Blocks of the largest read or write; 0: no limit.</summary>
    public virtual uint MaxRwBlocks => 0;

    /// <summary>What addresses and lengths of vectors must be multiples of.</summary>
    /// <param name="members">What the members ask for.</param>
    public virtual uint AlignmentOf(uint members) => members;

    /// <summary>Whether the level hands a type on, where all members support it; reads, writes and resets are always there.</summary>
    public abstract bool Carries(BdevIoType type);

    /// <summary>How large the array is.</summary>
    /// <param name="available">For each slot the blocks of its data region.</param>
    /// <exception cref="SpindleException">EINVAL: too small, or beyond 64 bits.</exception>
    public abstract RaidSize SizeOf(ReadOnlySpan<ulong> available);

    /// <summary>Whether the array follows when its members grow.</summary>
    public virtual bool CanResize => false;

    /// <summary>Makes the state of one pooled I/O.</summary>
    public abstract RaidIo CreateIo(BdevIo io);

    /// <summary>Makes what the level needs on a thread; disposed there. The channel's members are there already.</summary>
    public virtual IDisposable? CreateChannelState(RaidChannel channel) => null;

    /// <summary>Array blocks of which a <see cref="RaidStep"/> does a multiple: those of a stripe.</summary>
    public virtual ulong StepUnitBlocks => 1;

    /// <summary>Blocks of a member's data region that hold the array's first <paramref name="arrayBlocks"/>, a multiple of <see cref="StepUnitBlocks"/>.</summary>
    public virtual ulong MemberBlocksOf(ulong arrayBlocks) => arrayBlocks;

    /// <summary>Makes what works on one range at a time; null for a level without redundancy.</summary>
    /// <param name="memory">For its buffers.</param>
    /// <param name="mostBlocks">Array blocks of the largest range.</param>
    public virtual RaidStep? CreateStep(IDmaMemory memory, ulong mostBlocks) => null;
}
