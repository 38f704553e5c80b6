namespace Spindle.Bdev.Raid;

/// <summary>What an array keeps on its members about regions that are being written. On the app thread, but for what it makes for channels.</summary>
public abstract class RaidIntentLog
{
    /// <summary>The array comes up: its members are open, its bdev is not registered yet.</summary>
    /// <exception cref="SpindleException">The array does not come up.</exception>
    public abstract Task OpenAsync(RaidArray array);

    /// <summary>Where the members may differ, in multiples of the level's unit: asked for once, when the array is online.</summary>
    public virtual IReadOnlyList<(ulong First, ulong Blocks)> OutOfStep => [];

    /// <summary>A member was put in or taken out; nothing else changes the array meanwhile.</summary>
    public abstract Task OnMembersChangedAsync(RaidArray array);

    /// <summary>The array is about to have more blocks; nobody writes there yet.</summary>
    /// <returns>False: there is no room to keep anything about them, and it must not.</returns>
    public abstract Task<bool> TryGrowAsync(ulong blockCount);

    /// <summary>The array goes: no I/O is under way, its members are still open.</summary>
    public abstract Task CloseAsync(RaidArray array);

    /// <summary>A background process has brought a range in step, in which no I/O is under way.</summary>
    public virtual void OnRangeInStep(ulong firstBlock, ulong blocks) { }

    /// <summary>Makes a thread's part. On that thread.</summary>
    public abstract RaidWriteIntent CreateChannel(RaidChannel channel);
}
