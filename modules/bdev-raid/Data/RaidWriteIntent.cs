namespace Spindle.Bdev.Raid;

/// <summary>One storage thread's view of what says on the members which regions are being written, so that after an unclean stop these are brought in step and no others.</summary>
public abstract class RaidWriteIntent
{
    /// <summary>A write is about to begin.</summary>
    /// <returns>True: go on. False: <see cref="Resume"/> is called, on this thread, when the intent is on the members.</returns>
    [DataPath]
    protected internal abstract bool Begin(RaidIo io, ulong firstBlock, ulong blocks);

    /// <summary>It has ended on all members.</summary>
    /// <param name="firstBlock">As given to <see cref="Begin"/>.</param>
    /// <param name="blocks">As given to <see cref="Begin"/>.</param>
    /// <param name="isInStep">False: the members may differ, so that the region stays marked.</param>
    [DataPath]
    protected internal abstract void End(ulong firstBlock, ulong blocks, bool isInStep);

    /// <summary>Whether what is redundant in a range is known to fit its data: it was not being written when the array last stopped uncleanly, or has been made again since.</summary>
    [DataPath]
    protected internal virtual bool IsInStep(ulong firstBlock, ulong blocks) => true;

    /// <summary>Lets a write go on for which <see cref="Begin"/> returned false.</summary>
    [DataPath]
    protected static void Resume(RaidIo io) => io.GoOn();

    /// <summary>The channel goes. On its thread.</summary>
    protected internal virtual void Close() { }
}
