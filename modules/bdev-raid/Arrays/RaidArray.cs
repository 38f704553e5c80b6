using Microsoft.Extensions.Logging;
using Spindle.Bdev.Raid.Intent;
using Spindle.Bdevs;
using Spindle.Modules;
using Spindle.Threading;

namespace Spindle.Bdev.Raid;

/// <summary>An array: who its members are, whether it is online, what its superblock says. On the app thread.</summary>
public sealed partial class RaidArray
{
    private readonly RaidArrays _owner;
    // Held while the set of members changes.
    private readonly SemaphoreSlim _turn = new(1);

    internal RaidArray(RaidArrays owner, string name, Guid uuid, RaidLevelType type, uint stripKib, bool hasSuperblock, int slots)
    {
        (_owner, Name, Uuid, Type, StripKib, HasSuperblock) = (owner, name, uuid, type, stripKib, hasSuperblock);
        Slots = [.. Enumerable.Range(0, slots).Select(index => new RaidSlot(index))];
        LeastOperational = type.LeastOperational(slots);
    }

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>The identity; empty until the bdev is registered, if none was given.</summary>
    public Guid Uuid { get; private set; }

    /// <summary>The level.</summary>
    public RaidLevelType Type { get; }

    /// <summary>KiB of a strip; 0 for a level without.</summary>
    public uint StripKib { get; }

    /// <summary>Whether the members know of the array.</summary>
    public bool HasSuperblock { get; }

    /// <summary>Its places.</summary>
    public IReadOnlyList<RaidSlot> Slots { get; }

    /// <summary>What it is doing.</summary>
    public RaidState State { get; private set; } = RaidState.Configuring;

    /// <summary>Members that it is to have: all, less those that are known to be missing.</summary>
    public int Operational { get; internal set; }

    /// <summary>Members without which it cannot be.</summary>
    public int LeastOperational { get; }

    /// <summary>Members that are there.</summary>
    public int Discovered => Slots.Count(slot => slot.Member is not null);

    /// <summary>The superblock; null when there is none yet.</summary>
    public RaidSuperblock? Super { get; internal set; }

    /// <summary>Its bdev, while it is registered.</summary>
    public RaidBdev? Bdev { get; private set; }

    /// <summary>What its members know of writes under way; null for nothing.</summary>
    public RaidIntentLog? IntentLog { get; private set; }

    internal RaidOptions Options => _owner.Options;

    internal IModuleContext Context => _owner.Context;

    internal IStorageThread AppThread => Context.Threads.AppThread;

    internal bool IsDeleted { get; set; }

    internal ILogger Log => _owner.Log;

    /// <summary>Opens and claims the bdev of a slot; it is not a member yet.</summary>
    /// <exception cref="SpindleException">ENODEV: it is not there. EPERM: it is in use. EINVAL: it does not fit.</exception>
    internal RaidMember Open(RaidSlot slot)
    {
        string name = slot.Name ?? "";
        if (slot.Uuid != Guid.Empty)
        {
            var found = Context.Bdevs.Find(slot.Uuid.ToString("D")) ?? throw new SpindleException(Errno.ENODEV, $"there is no bdev {slot.Uuid:D}.");
            if (slot.Name is not null && slot.Name != found.Name) throw Invalid($"the bdev {slot.Uuid:D} is '{found.Name}' and not '{slot.Name}'.");
            name = found.Name;
        }
        var descriptor = Context.Bdevs.Open(name, write: false, OnMemberEvent);
        try
        {
            Context.Bdevs.Claim(descriptor, BdevClaimType.ExclusiveWrite);
            return Fit(slot, descriptor);
        }
        catch
        {
            descriptor.Close();
            throw;
        }
    }

    private RaidMember Fit(RaidSlot slot, IBdevDescriptor descriptor)
    {
        var bdev = descriptor.Bdev;
        if (slot.Uuid != Guid.Empty && slot.Uuid != bdev.Uuid) throw Invalid($"'{bdev.Name}' has the UUID {bdev.Uuid:D}, not {slot.Uuid:D}.");
        if (bdev.IsZoned) throw Invalid($"'{bdev.Name}' is zoned: an array does not write it in order. Use a bdev that is not zoned.");
        if (bdev.DifType != DifType.None) throw Invalid($"'{bdev.Name}' has protection information, of which an array does not keep the block addresses. Use a bdev without.");
        if (FirstMember() is { } other)
        {
            if (other.BlockSize != bdev.BlockSize) throw Invalid($"'{bdev.Name}' has blocks of {bdev.BlockSize} bytes, and '{other.Name}' of {other.BlockSize}; they must be the same.");
            if (other.MetadataSize != bdev.MetadataSize || other.MetadataInterleaved != bdev.MetadataInterleaved)
                throw Invalid($"'{bdev.Name}' has {bdev.MetadataSize} bytes of metadata for a block, and '{other.Name}' {other.MetadataSize}; they must be the same, and in the same place.");
        }
        ulong offset = slot.DataOffset;
        if (HasSuperblock && offset == 0)
        {
            uint block = SuperblockIo.DataBlockSize(bdev);
            offset = (1 << 20) / block;
            if (bdev.OptimalIoBoundary > 1) offset = (offset + bdev.OptimalIoBoundary - 1) / bdev.OptimalIoBoundary * bdev.OptimalIoBoundary;
        }
        if (offset >= bdev.BlockCount) throw Invalid($"'{bdev.Name}' has {bdev.BlockCount} blocks; data would begin at block {offset}.");
        ulong data = slot.DataBlocks == 0 ? bdev.BlockCount - offset : slot.DataBlocks;
        if (data > bdev.BlockCount - offset) throw Invalid($"'{bdev.Name}' has {bdev.BlockCount} blocks; {offset + data} are needed: {data} of data from block {offset} on.");
        (slot.Name, slot.Uuid, slot.DataOffset, slot.DataBlocks) = (bdev.Name, bdev.Uuid, offset, data);
        return new RaidMember(slot.Index, descriptor, offset, data);
    }

    private Bdevs.Bdev? FirstMember() => Slots.FirstOrDefault(slot => slot.Member is not null)?.Member!.Descriptor.Bdev;

    /// <summary>Puts an open bdev in its slot; the array comes up when it is the last that it waits for. On an array that is online it is rebuilt.</summary>
    /// <exception cref="SpindleException">The array could not come up.</exception>
    internal async Task JoinAsync(RaidSlot slot, RaidMember member)
    {
        if (State == RaidState.Online)
        {
            await StartRebuildAsync(slot, member);
            return;
        }
        await _turn.WaitAsync();
        try
        {
            slot.Member = member;
            if (State == RaidState.Configuring && Discovered == Operational) await BringUpAsync();
        }
        catch
        {
            if (slot.Member == member) Release(slot);
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Brings an array up without members that it waits for: these are taken for missing from then on.</summary>
    /// <exception cref="SpindleException">EINVAL: it does not wait, has no superblock, or too few members are there.</exception>
    internal async Task StartDegradedAsync()
    {
        await _turn.WaitAsync();
        try
        {
            if (State != RaidState.Configuring || Super is not { } super) throw Invalid($"RAID bdev '{Name}' is {NameOf(State)}{(HasSuperblock ? "" : " and has no superblock")}; only one with a superblock that waits for members can be started without them.");
            if (Discovered < LeastOperational) throw Invalid($"RAID bdev '{Name}' has {Discovered} of its members; {LeastOperational} are the least for {Type.Name}.");
            var (before, operational) = (super.Clone(), Operational);
            foreach (var slot in Slots.Where(slot => slot.Member is null))
            {
                Mark(slot, SuperblockMemberState.Missing);
                (slot.Uuid, slot.Name, slot.ResumeBlocks) = (Guid.Empty, null, 0);
            }
            Operational = Discovered;
            try
            {
                await BringUpAsync();
            }
            catch
            {
                (Super, Operational) = (before.After(super), operational);
                foreach (var slot in Slots.Where(slot => slot.Member is null && before.EntryOf(slot.Index) >= 0)) slot.Uuid = before.Member(before.EntryOf(slot.Index)).Uuid;
                throw;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task BringUpAsync()
    {
        var bdev = FirstMember()!;
        uint block = SuperblockIo.DataBlockSize(bdev);
        uint strip = (uint)((ulong)StripKib * 1024 / block);
        if (Type.HasStrips && strip == 0) throw Invalid($"strip_size_kb {StripKib} is less than a block of {block} bytes.");
        var level = Type.Create(new RaidGeometry(Slots.Count, strip, bdev.BlockSize, bdev.MetadataSize, bdev.MetadataInterleaved));
        var size = level.SizeOf([.. Slots.Select(slot => slot.DataBlocks)]);
        foreach (var slot in Slots)
        {
            slot.DataBlocks = size.DataBlocks[slot.Index];
            if (slot.Member is { } member) member.DataBlocks = slot.DataBlocks;
        }
        if (HasSuperblock)
        {
            Super ??= NewSuperblock(strip, block, size.BlockCount);
            if (Super.BlockSize != block) throw Invalid($"the members have blocks of {block} bytes, and the superblock says {Super.BlockSize}.");
            if (Super.BlockCount != size.BlockCount) throw Invalid($"the members make {size.BlockCount} blocks, and the superblock says {Super.BlockCount}.");
        }
        // Whatever is redundant may come out of step when writes are cut off.
        IntentLog = HasSuperblock && LeastOperational < Slots.Count ? new WriteIntentLog(this, level, size.BlockCount) : null;
        if (IntentLog is { } log) await log.OpenAsync(this);
        if (HasSuperblock)
        {
            foreach (var failed in await CommitAsync())
            {
                Release(Slots[failed.Slot]);
                Slots[failed.Slot].Uuid = Guid.Empty;
            }
        }
        var raid = new RaidBdev(this, level, size.BlockCount, Slots.Select(slot => slot.Member).OfType<RaidMember>());
        State = RaidState.Online;
        try
        {
            Context.Bdevs.Register(raid);
        }
        catch
        {
            State = RaidState.Configuring;
            throw;
        }
        (Bdev, Uuid) = (raid, raid.Uuid);
        foreach (var slot in Slots.Where(slot => slot.Member is not null)) slot.ResumeBlocks = 0;
        Log.LogInformation("RAID bdev {Name} is online with {Discovered} of {Count} members", Name, Discovered, Slots.Count);
        if (IntentLog?.OutOfStep is { Count: > 0 } ranges) StartResync(ranges);
    }

    private RaidSuperblock NewSuperblock(uint strip, uint block, ulong blockCount)
    {
        var made = new RaidSuperblock(Uuid, Name, Type.Number, strip, block, blockCount, Slots.Count);
        foreach (var slot in Slots)
        {
            var entry = made.Member(slot.Index);
            (entry.Uuid, entry.DataOffset, entry.DataBlocks, entry.State, entry.Slot) = (slot.Uuid, slot.DataOffset, slot.DataBlocks, SuperblockMemberState.Configured, slot.Index);
        }
        return made;
    }

    /// <summary>Closes what is in a slot.</summary>
    internal void Release(RaidSlot slot)
    {
        var member = slot.Member;
        slot.Clear(keepsIdentity: State == RaidState.Configuring);
        member?.Descriptor.Close();
    }

    private static SpindleException Invalid(string what) => new(Errno.EINVAL, what);
}
