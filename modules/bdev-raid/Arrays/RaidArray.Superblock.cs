using Microsoft.Extensions.Logging;

namespace Spindle.Bdev.Raid;

public sealed partial class RaidArray
{
    /// <summary>Writes the superblock to all members. Those that fail are written off, and the others know it, as long as the array can do without them.</summary>
    /// <returns>Those that failed: they are to be taken out.</returns>
    /// <exception cref="SpindleException">EIO: too few are left; then none is written off.</exception>
    private async Task<IReadOnlyList<RaidMember>> CommitAsync()
    {
        var (before, operational) = (Super!.Clone(), Operational);
        var failed = new List<RaidMember>();
        while (true)
        {
            byte[] bytes = Super!.Seal().ToArray();
            // Those that leave have no part in what comes; when all leave they all have.
            var members = Slots.Select(slot => slot.Member).OfType<RaidMember>().Where(member => !member.IsWrittenOff && (!member.IsLeaving || State != RaidState.Online)).ToArray();
            var errors = await Task.WhenAll(members.Select(member => WriteAsync(member, bytes)));
            if (errors.All(error => error is null)) return failed;
            for (int i = 0; i < members.Length; i++)
            {
                if (errors[i] is not { } error) continue;
                Log.LogError("Failed to write raid bdev '{Name}' superblock: {Reason}", Name, error);
                var slot = Slots[members[i].Slot];
                if (!slot.IsTarget)
                {
                    if (Operational <= LeastOperational)
                    {
                        foreach (var one in failed) one.IsWrittenOff = false;
                        (Super, Operational) = (before.After(Super), operational);
                        throw new SpindleException(Errno.EIO, $"the superblock could not be written: {error}");
                    }
                    Operational--;
                    Mark(slot, SuperblockMemberState.Failed);
                }
                members[i].IsWrittenOff = true;
                failed.Add(members[i]);
            }
        }
    }

    private async Task<string?> WriteAsync(RaidMember member, byte[] bytes)
    {
        try
        {
            await SuperblockIo.WriteAsync(member.Descriptor, Context.Memory, bytes);
            return null;
        }
        catch (SpindleException e)
        {
            return e.Message;
        }
    }

    /// <summary>Changes the state of what is in a slot, in memory.</summary>
    private void Mark(RaidSlot slot, SuperblockMemberState state)
    {
        if (Super is null || Super.EntryOf(slot.Index) is not (>= 0 and var index)) return;
        var entry = Super.Member(index);
        entry.State = state;
        entry.SetRebuiltBlocks(0, 0);
    }
}
