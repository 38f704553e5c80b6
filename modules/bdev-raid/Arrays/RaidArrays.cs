using Microsoft.Extensions.Logging;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Bdev.Raid;

/// <summary>The arrays there are: made, found on bdevs, and taken away. On the app thread.</summary>
public sealed partial class RaidArrays(IModuleContext context)
{
    private readonly List<RaidArray> _all = [];
    // One array is made or found at a time.
    private readonly SemaphoreSlim _assembly = new(1);

    /// <summary>All of them, in the order in which they came.</summary>
    public IReadOnlyList<RaidArray> All => _all;

    /// <summary>How background processes run that begin from now on.</summary>
    public RaidOptions Options { get; set; } = new();

    /// <summary>Bdevs that wait for a member to fail.</summary>
    public Scrub.RaidSpares Spares => field ??= new Scrub.RaidSpares(this);

    internal IModuleContext Context => context;

    internal ILogger Log { get; } = context.Logging.CreateLogger(context.ModuleName);

    /// <summary>By name; null when there is none.</summary>
    public RaidArray? Find(string name) => _all.Find(array => array.Name == name);

    /// <summary>Makes an array. It comes up at once if its members are all there.</summary>
    /// <exception cref="SpindleException">EINVAL: a parameter, or a member does not fit. EEXIST: the name, or a member of another array. EPERM: a member is in use.</exception>
    public async Task CreateAsync(string name, RaidLevelType level, uint stripKib, IReadOnlyList<string> members, bool hasSuperblock, Guid uuid)
    {
        await _assembly.WaitAsync();
        try
        {
            var array = Add(name, level, stripKib, members.Count, hasSuperblock, hasSuperblock && uuid == Guid.Empty ? Guid.NewGuid() : uuid);
            array.Operational = members.Count;
            try
            {
                foreach (string member in members) await AddNewAsync(array, member, isWaitedFor: true);
            }
            catch
            {
                await array.DeleteAsync();
                throw;
            }
        }
        finally
        {
            _assembly.Release();
        }
    }

    /// <summary>Puts a bdev into an empty slot. On an array that is online it is rebuilt.</summary>
    /// <exception cref="SpindleException">EPERM: a process runs, or the bdev is in use. EINVAL: there is no empty slot, or it does not fit. EEXIST: it is a member of another array. ENODEV: there is no such bdev.</exception>
    public async Task AddMemberAsync(RaidArray array, string name)
    {
        await _assembly.WaitAsync();
        try
        {
            if (array.Process is not null) throw new SpindleException(Errno.EPERM, $"raid bdev '{array.Name}' is in process; wait until that has ended (bdev_raid_get_bdevs).");
            if (array.State == RaidState.Offline) throw Invalid($"raid bdev '{array.Name}' is offline; delete it (bdev_raid_delete).");
            await AddNewAsync(array, name, isWaitedFor: false);
        }
        finally
        {
            _assembly.Release();
        }
    }

    /// <summary>Brings an array up without the members that it waits for.</summary>
    /// <exception cref="SpindleException">EINVAL: it does not wait, or too few members are there.</exception>
    public async Task StartDegradedAsync(RaidArray array)
    {
        await _assembly.WaitAsync();
        try
        {
            await array.StartDegradedAsync();
        }
        finally
        {
            _assembly.Release();
        }
    }

    /// <summary>Deletes an array; what is on its members stays there.</summary>
    /// <exception cref="SpindleException">EALREADY: it is being deleted.</exception>
    public Task DeleteAsync(RaidArray array) => array.DeleteAsync();

    /// <summary>The member that a bdev is; null when it is none.</summary>
    public (RaidArray Array, RaidMember Member)? FindMember(Bdevs.Bdev bdev)
    {
        foreach (var array in _all)
        {
            if (array.Slots.FirstOrDefault(slot => slot.Member?.Descriptor.Bdev == bdev)?.Member is { } member) return (array, member);
        }
        return null;
    }

    internal void WriteConfig(IConfigWriter writer)
    {
        writer.Call("bdev_raid_set_options", w =>
        {
            w.Name("process_window_size_kb");
            w.Number((ulong)Options.ProcessWindowKib);
            w.Name("process_max_bandwidth_mb_sec");
            w.Number((ulong)Options.ProcessMaxBandwidthMib);
        });
        Spares.WriteConfig(writer);
    }

    internal void Forget(RaidArray array) => _all.Remove(array);

    internal async Task StopAsync()
    {
        foreach (var array in _all.ToArray()) await array.DeleteAsync();
    }

    private RaidArray Add(string name, RaidLevelType level, uint stripKib, int slots, bool hasSuperblock, Guid uuid)
    {
        if (name.Length == 0) throw Invalid("the name is empty.");
        if (System.Text.Encoding.UTF8.GetByteCount(name) >= RaidSuperblock.NameBytes) throw Invalid($"the name has more than {RaidSuperblock.NameBytes - 1} bytes.");
        if (name.Contains('\0')) throw Invalid("the name has a zero in it.");
        if (Find(name) is not null) throw new SpindleException(Errno.EEXIST, $"there is a RAID bdev '{name}' already.");
        if (!level.HasStrips && stripKib != 0) throw Invalid($"strip_size_kb is {stripKib}, and {level.Name} has no strips; leave it out.");
        if (level.HasStrips && !System.Numerics.BitOperations.IsPow2(stripKib)) throw Invalid($"strip_size_kb is {stripKib}; it must be a power of two for {level.Name}.");
        if (slots < level.LeastMembers) throw Invalid($"{level.Name} needs at least {level.LeastMembers} base bdevs; {slots} were given.");
        var array = new RaidArray(this, name, uuid, level, stripKib, hasSuperblock, slots);
        _all.Add(array);
        return array;
    }

    /// <param name="array">The array.</param>
    /// <param name="name">A bdev.</param>
    /// <param name="isWaitedFor">Whether it may appear later.</param>
    private async Task AddNewAsync(RaidArray array, string name, bool isWaitedFor)
    {
        var slot = EmptySlot(array, name) ?? throw Invalid($"no empty slot found in raid bdev '{array.Name}' for new base bdev '{name}'.");
        slot.Name = name;
        RaidMember member;
        try
        {
            member = array.Open(slot);
        }
        catch (SpindleException e)
        {
            if (e.Errno != Errno.ENODEV || array.State != RaidState.Configuring) slot.Name = null;
            else if (isWaitedFor) return;
            throw;
        }
        RaidSuperblock? super;
        try
        {
            super = await LoadAsync(member.Descriptor);
        }
        catch
        {
            Undo(slot, member);
            throw;
        }
        if (super is null)
        {
            await array.JoinAsync(slot, member);
            return;
        }
        Undo(slot, member);
        if (super.Uuid != array.Uuid) throw new SpindleException(Errno.EEXIST, $"there is the superblock of another array, '{super.Name}' ({super.Uuid:D}), on '{name}'. Clear its first {super.Length} bytes if it is not needed.");
        await AssembleAsync(super, member.Descriptor.Bdev);
    }

    private static void Undo(RaidSlot slot, RaidMember member)
    {
        (slot.Name, slot.Uuid, slot.DataOffset) = (null, Guid.Empty, 0);
        member.Descriptor.Close();
    }

    private RaidSlot? EmptySlot(RaidArray array, string name)
    {
        if (array.State == RaidState.Configuring && context.Bdevs.Find(name) is { } bdev && array.Slots.FirstOrDefault(slot => slot.Name is null && slot.Uuid == bdev.Uuid) is { } its) return its;
        return array.Slots.FirstOrDefault(slot => slot.Name is null && slot.Uuid == Guid.Empty);
    }

    private static SpindleException Invalid(string what) => new(Errno.EINVAL, what);
}
