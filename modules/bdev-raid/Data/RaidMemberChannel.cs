using System.Runtime.CompilerServices;
using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Bdev.Raid;

/// <summary>One storage thread's way to the data region of a member. Blocks count from the region's start.</summary>
public sealed class RaidMemberChannel
{
    private readonly BdevIoCallback _completed;

    internal RaidMemberChannel(RaidMember member, IBdevChannel lower)
    {
        (Member, Lower, Slot, DataOffset) = (member, lower, member.Slot, member.DataOffset);
        _completed = OnCompleted;
    }

    /// <summary>The member.</summary>
    public RaidMember Member { get; }

    /// <summary>Its place in the array.</summary>
    public int Slot { get; }

    /// <summary>The member's bdev.</summary>
    public IBdevChannel Lower { get; }

    /// <summary>The block of the bdev that is the region's first.</summary>
    public ulong DataOffset { get; }

    /// <summary>Blocks that are being read; kept by levels that balance.</summary>
    public ulong BlocksBeingRead { get; set; }

    /// <summary>True from a reported failure until the array has settled it.</summary>
    internal bool IsReported { get; set; }

    /// <summary>Reads; 0 or a negated error number.</summary>
    [DataPath]
    public int Read(RaidOperation operation, ReadOnlySpan<IoVec> buffers, ulong block, ulong blocks, nint metadata = 0) =>
        Lower.Read(buffers, DataOffset + block, blocks, _completed, operation, metadata);

    /// <summary>Writes; 0 or a negated error number.</summary>
    [DataPath]
    public int Write(RaidOperation operation, ReadOnlySpan<IoVec> buffers, ulong block, ulong blocks, nint metadata = 0) =>
        Lower.Write(buffers, DataOffset + block, blocks, _completed, operation, metadata);

    /// <summary>Does what needs no buffers: unmap, write zeroes, flush, reset; 0 or a negated error number.</summary>
    [DataPath]
    public int Do(RaidOperation operation, BdevIoType type, ulong block, ulong blocks) => type switch
    {
        BdevIoType.Unmap => Lower.Unmap(DataOffset + block, blocks, _completed, operation),
        BdevIoType.WriteZeroes => Lower.WriteZeroes(DataOffset + block, blocks, _completed, operation),
        BdevIoType.Flush => Lower.Flush(DataOffset + block, blocks, _completed, operation),
        BdevIoType.Reset => Lower.Reset(_completed, operation),
        _ => -Errno.ENOTSUP,
    };

    [DataPath]
    private void OnCompleted(object? state, in BdevIoResult result) => Unsafe.As<RaidOperation>(state)!.OnMemberCompleted(this, in result);
}
