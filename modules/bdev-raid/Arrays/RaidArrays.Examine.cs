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
        var descriptor = context.Bdevs.Open(bdev.Name, write: false, static (_, _, _) => { });
        try
        {
            return await LoadAsync(descriptor);
        }
        finally
        {
            descriptor.Close();
        }
    }

    /// <returns>Null when there is none, or it is damaged; that is logged.</returns>
    private async Task<RaidSuperblock?> LoadAsync(IBdevDescriptor descriptor)
    {
        try
        {
            return await SuperblockIo.ReadAsync(descriptor, context.Memory) is { } bytes ? RaidSuperblock.Parse(bytes) : null;
        }
        catch (SpindleException e) when (e.Errno == Errno.EINVAL)
        {
            Log.LogWarning("The RAID superblock on bdev {Bdev} cannot be used: {Reason}", descriptor.Bdev.Name, e.Message);
            return null;
        }
    }

    /// <summary>A bdev has a superblock.</summary>
    private Task AssembleAsync(RaidSuperblock super, Bdevs.Bdev bdev) => throw new SpindleException(Errno.ENOTSUP, $"'{bdev.Name}' has the superblock of '{super.Name}'.");
}
