using Microsoft.Extensions.Logging;
using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

public sealed partial class RaidArrays
{
    /// <summary>Looks whether a new bdev is a member of an array. What is wrong with it is logged.</summary>
    internal async Task ExamineAsync(Bdevs.Bdev bdev)
    {
        if (bdev.IsZoned || FindMember(bdev) is not null) return;
        RaidSuperblock? super = null;
        try
        {
            if (bdev.DifType == DifType.None) super = await LoadAsync(bdev);
        }
        catch (SpindleException e)
        {
            Log.LogError("Failed to examine bdev {Bdev}: {Reason}", bdev.Name, e.Message);
            return;
        }
        await _assembly.WaitAsync();
        try
        {
            if (FindMember(bdev) is not null) return;
            if (super is null) await JoinByNameAsync(bdev);
            else await AssembleAsync(super, bdev);
        }
        catch (SpindleException e)
        {
            Log.LogError("Bdev {Bdev} does not become a member of a RAID bdev: {Reason}", bdev.Name, e.Message);
        }
        finally
        {
            _assembly.Release();
        }
    }

    /// <summary>A bdev without superblock may be what an array without one waits for.</summary>
    private async Task JoinByNameAsync(Bdevs.Bdev bdev)
    {
        foreach (var array in _all.ToArray())
        {
            if (array.State != RaidState.Configuring || array.Super is not null) continue;
            if (array.Slots.FirstOrDefault(slot => slot.Member is null && (slot.Name == bdev.Name || slot.Uuid == bdev.Uuid)) is not { } slot) continue;
            await array.JoinAsync(slot, array.Open(slot));
            return;
        }
    }

    private async Task<RaidSuperblock?> LoadAsync(Bdevs.Bdev bdev)
    {
        // Its removal waits until it is closed, which is when the read has ended: a disk that does not answer must not keep itself from being removed.
        using var removed = new CancellationTokenSource();
        var descriptor = context.Bdevs.Open(bdev.Name, write: false, static (type, _, state) =>
        {
            if (type == BdevEventType.Remove) ((CancellationTokenSource)state!).Cancel();
        }, removed);
        try
        {
            return await LoadAsync(descriptor, removed.Token);
        }
        finally
        {
            descriptor.Close();
        }
    }

    /// <returns>Null when there is none, or it is damaged; that is logged.</returns>
    private async Task<RaidSuperblock?> LoadAsync(IBdevDescriptor descriptor, CancellationToken removed = default)
    {
        try
        {
            return await SuperblockIo.ReadAsync(descriptor, context.Memory, removed) is { } bytes ? RaidSuperblock.Parse(bytes) : null;
        }
        catch (SpindleException e) when (e.Errno == Errno.EINVAL)
        {
            Log.LogWarning("The RAID superblock on bdev {Bdev} cannot be used: {Reason}", descriptor.Bdev.Name, e.Message);
            return null;
        }
    }

    /// <summary>A bdev has a superblock: it joins the array that it is of, which is made if it is the first, and made again if it knows more than those before.</summary>
    /// <exception cref="SpindleException">It does not become a member.</exception>
    private async Task AssembleAsync(RaidSuperblock super, Bdevs.Bdev bdev)
    {
        uint block = SuperblockIo.DataBlockSize(bdev);
        if (super.BlockSize != block) throw Invalid($"its blocks have {block} bytes, and its superblock is of an array with blocks of {super.BlockSize}.");
        var array = _all.Find(array => array.Uuid == super.Uuid);
        if (array is not null)
        {
            if (array.Super is not { } known) throw Invalid($"its superblock is of '{super.Name}' ({super.Uuid:D}), and the RAID bdev '{array.Name}' has that UUID and no superblock.");
            if (super.Sequence > known.Sequence)
            {
                if (array.State != RaidState.Configuring)
                    throw new SpindleException(Errno.EBUSY, $"its superblock of '{array.Name}' has number {super.Sequence}, and the array runs with {known.Sequence}: it knows of changes that the others do not. Stop the array to look at both.");
                await array.DeleteAsync();
                array = null;
            }
            else if (super.Sequence < known.Sequence)
            {
                super = known;
            }
            else if (array.State == RaidState.Configuring && !super.SaysTheSame(known))
            {
                throw Invalid($"its superblock of '{array.Name}' has number {super.Sequence} as another member's, and says otherwise: they were used apart. Leave out what is to be given up.");
            }
        }
        int index = super.EntryOf(bdev.Uuid);
        if (index < 0) throw Invalid($"the superblock of '{super.Name}' does not name its UUID, {bdev.Uuid:D}: it is a copy of a member, or was replaced, or has got another UUID.");
        bool isNew = array is null;
        array ??= FromSuperblock(super);
        bool wasOnline = array.State == RaidState.Online;
        if (wasOnline) await AddAgainAsync(array, bdev, index);
        else await JoinBySuperblockAsync(array, bdev, index);
        if (isNew || (!wasOnline && array.State == RaidState.Online)) await LookForOthersAsync(array);
    }

    private RaidArray FromSuperblock(RaidSuperblock super)
    {
        var level = RaidLevels.Find(super.Level) ?? throw Invalid($"its array '{super.Name}' is of level {super.Level}, which is not known here.");
        ulong strip = (ulong)super.StripBlocks * super.BlockSize;
        if (strip % 1024 != 0 || strip / 1024 > uint.MaxValue) throw Invalid($"its array '{super.Name}' has strips of {super.StripBlocks} blocks of {super.BlockSize} bytes.");
        int operational = Enumerable.Range(0, super.MemberCount).Count(i => super.Member(i).State == SuperblockMemberState.Configured);
        if (operational < level.LeastOperational(super.SlotCount)) throw Invalid($"its array '{super.Name}' has {operational} of {super.SlotCount} members left, too few for {level.Name}.");
        var array = Add(super.Name, level, (uint)(strip / 1024), super.SlotCount, hasSuperblock: true, super.Uuid);
        array.Super = super.Clone();
        array.Operational = operational;
        for (int i = 0; i < super.SlotCount; i++)
        {
            if (super.EntryOf(i) is not (>= 0 and var index)) continue;
            var entry = super.Member(index);
            var slot = array.Slots[i];
            bool isMember = entry.State == SuperblockMemberState.Configured;
            (slot.Uuid, slot.DataOffset, slot.DataBlocks) = (isMember ? entry.Uuid : Guid.Empty, entry.DataOffset, entry.DataBlocks);
            if (!isMember) slot.ResumeBlocks = entry.RebuiltBlocks(super.Sequence);
        }
        return array;
    }

    private static async Task JoinBySuperblockAsync(RaidArray array, Bdevs.Bdev bdev, int index)
    {
        var (state, place) = (array.Super!.Member(index).State, array.Super.Member(index).Slot);
        if (state != SuperblockMemberState.Configured)
        {
            array.Log.LogInformation("Bdev {Bdev} is not an active member of raid bdev {Name}. It is rebuilt when that is online", bdev.Name, array.Name);
            return;
        }
        var slot = array.Slots[place];
        if (slot.Member is not null) throw new SpindleException(Errno.EEXIST, $"'{slot.Member.Name}' is in slot {slot.Index} of '{array.Name}' already.");
        await array.JoinAsync(slot, array.Open(slot));
    }

    /// <summary>A member that was missing or had failed is back: what it has is old.</summary>
    private static async Task AddAgainAsync(RaidArray array, Bdevs.Bdev bdev, int index)
    {
        var slot = array.Slots[array.Super!.Member(index).Slot];
        if (array.Super.Member(index).State == SuperblockMemberState.Configured || slot.Member is not null)
            throw new SpindleException(Errno.EEXIST, $"slot {slot.Index} of '{array.Name}' is taken.");
        if (array.Process is not null)
        {
            array.Defer(bdev.Uuid);
            return;
        }
        (slot.Name, slot.Uuid, slot.DataOffset) = (null, bdev.Uuid, array.Super.Member(index).DataOffset);
        array.Log.LogInformation("Re-adding bdev {Bdev} to raid bdev {Name}", bdev.Name, array.Name);
        try
        {
            await array.JoinAsync(slot, array.Open(slot));
        }
        catch
        {
            if (slot.Member is null) (slot.Name, slot.Uuid, slot.DataOffset) = (null, Guid.Empty, 0);
            throw;
        }
    }

    /// <summary>Members that were there before the superblock that names them.</summary>
    private async Task LookForOthersAsync(RaidArray array)
    {
        for (int i = 0; i < array.Super!.MemberCount && _all.Contains(array); i++)
        {
            if (context.Bdevs.Find(array.Super.Member(i).Uuid.ToString("D")) is not { } bdev || FindMember(bdev) is not null) continue;
            try
            {
                if (await LoadAsync(bdev) is { } super && super.Uuid == array.Uuid) await AssembleAsync(super, bdev);
            }
            catch (SpindleException e)
            {
                Log.LogError("Bdev {Bdev} does not become a member of a RAID bdev: {Reason}", bdev.Name, e.Message);
            }
        }
    }
}
