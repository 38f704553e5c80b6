using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

/// <summary>What is done to a range.</summary>
public enum RaidStepKind
{
    /// <summary>The target's part is made from the other members.</summary>
    Rebuild,
    /// <summary>What is redundant is made again from the data: parity, or the legs beside the first.</summary>
    Resync,
    /// <summary>What is redundant is compared with the data.</summary>
    Check,
    /// <summary>As <see cref="Check"/>, and made again where it differs.</summary>
    Repair,
}

/// <summary>A level's work on one range after the other, of a rebuild or another background process. The range is quiesced: no I/O of the array is under way in it. On one thread.</summary>
public abstract class RaidStep : RaidOperation, IDisposable
{
    private TaskCompletionSource<ulong>? _ended;

    /// <summary>The calling thread's ways to the members.</summary>
    protected RaidChannel Channel { get; private set; } = null!;

    /// <summary>What is to be done.</summary>
    protected RaidStepKind Kind { get; private set; }

    /// <summary>With <see cref="RaidStepKind.Rebuild"/>: the slot that is rebuilt, which is written and not read.</summary>
    protected int Target { get; private set; }

    /// <summary>The first block of the array, a multiple of <see cref="RaidLevel.StepUnitBlocks"/>.</summary>
    protected ulong Offset { get; private set; }

    /// <summary>Blocks of the array.</summary>
    protected ulong Blocks { get; private set; }

    /// <summary>Works on a range.</summary>
    /// <returns>Blocks that were not as they should be, with <see cref="RaidStepKind.Check"/> and <see cref="RaidStepKind.Repair"/>.</returns>
    /// <exception cref="RaidStepException">A member failed.</exception>
    internal Task<ulong> RunAsync(RaidChannel channel, RaidStepKind kind, int target, ulong offset, ulong blocks)
    {
        (Channel, Kind, Target, Offset, Blocks) = (channel, kind, target, offset, blocks);
        _ended = new TaskCompletionSource<ulong>(TaskCreationOptions.RunContinuationsAsynchronously);
        Begin();
        return _ended.Task;
    }

    /// <summary>Begins; it ends by one <see cref="Succeed"/> or <see cref="Fail"/>, now or later.</summary>
    protected abstract void Begin();

    /// <summary>Ends it.</summary>
    /// <param name="mismatches">Blocks that were not as they should be.</param>
    protected void Succeed(ulong mismatches = 0) => _ended!.TrySetResult(mismatches);

    /// <summary>Ends it: a member failed.</summary>
    /// <param name="slot">The member that failed; -1 when it is none in particular.</param>
    /// <param name="result">How.</param>
    protected void Fail(int slot, in BdevIoResult result) => _ended!.TrySetException(new RaidStepException(slot, result.Status));

    /// <summary>Frees its buffers.</summary>
    public abstract void Dispose();
}

/// <summary>A member failed in a <see cref="RaidStep"/>.</summary>
public sealed class RaidStepException(int slot, BdevIoStatus status) : Exception(slot >= 0 ? $"slot {slot} failed: {status}"
    : "what is missing there cannot be computed: too many members are missing, or it was being written when the array stopped uncleanly (bdev_raid_get_integrity)")
{
    /// <summary>The slot; -1 when it is none in particular.</summary>
    public int Slot => slot;
}
