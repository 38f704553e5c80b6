using Microsoft.Extensions.Logging;
using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

public sealed partial class RaidArray
{
    // Ends when every member that I/O goes on without has been given back.
    private Task _leaving = Task.CompletedTask;

    private void OnMemberEvent(BdevEventType type, Bdevs.Bdev bdev, object? state)
    {
        if (Slots.FirstOrDefault(slot => slot.Member?.Descriptor.Bdev == bdev)?.Member is not { } member) return;
        if (type == BdevEventType.Remove) _ = RemoveQuietlyAsync(member);
        else if (type == BdevEventType.Resize) _ = ResizeAsync();
    }

    /// <summary>A member has another size: the array grows if all have.</summary>
    private async Task ResizeAsync()
    {
        await _turn.WaitAsync();
        try
        {
            if (State != RaidState.Online || Bdev is not { } bdev || !bdev.Level.CanResize) return;
            // One that is missing must be as large when it is put in.
            var size = bdev.Level.SizeOf([.. Slots.Select(slot => slot.Member is { IsLeaving: false } member ? member.Descriptor.Bdev.BlockCount - Math.Min(slot.DataOffset, member.Descriptor.Bdev.BlockCount) : ulong.MaxValue)]);
            if (size.BlockCount == bdev.BlockCount) return;
            if (size.BlockCount < bdev.BlockCount)
            {
                Log.LogError("A member of RAID bdev {Name} has shrunk: of its {Blocks} blocks there are {Left} left", Name, bdev.BlockCount, size.BlockCount);
                return;
            }
            if (IntentLog is { } log && !await log.TryGrowAsync(size.BlockCount))
            {
                Log.LogError("RAID bdev {Name} does not grow from {Before} to {After} blocks: its write-intent bitmap has no room for so many; make a larger array and copy", Name, bdev.BlockCount, size.BlockCount);
                return;
            }
            Log.LogInformation("raid bdev '{Name}': block count was changed from {Before} to {After}", Name, bdev.BlockCount, size.BlockCount);
            foreach (var slot in Slots)
            {
                slot.DataBlocks = size.DataBlocks[slot.Index];
                if (slot.Member is { } member) member.DataBlocks = slot.DataBlocks;
            }
            if (Super is not null)
            {
                // Written before anybody can write there.
                Super.BlockCount = size.BlockCount;
                for (int i = 0; i < Super.MemberCount; i++)
                {
                    var entry = Super.Member(i);
                    entry.DataBlocks = Slots[entry.Slot].DataBlocks;
                }
                foreach (var failed in await CommitAsync()) OnFailureReported(failed);
            }
            Context.Bdevs.Resize(bdev, size.BlockCount);
        }
        catch (SpindleException e)
        {
            Log.LogError("RAID bdev {Name} could not follow its members' size: {Reason}", Name, e.Message);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task RemoveQuietlyAsync(RaidMember member)
    {
        try
        {
            await RemoveAsync(member, isFailed: false);
        }
        catch (SpindleException e)
        {
            Log.LogError("Failed to remove base bdev {Bdev} of RAID bdev {Name}: {Reason}", member.Name, Name, e.Message);
        }
    }

    /// <summary>A channel has seen a member fail.</summary>
    internal void OnFailureReported(RaidMember member) => _ = OnFailedAsync(member);

    private async Task OnFailedAsync(RaidMember member)
    {
        try
        {
            await RemoveAsync(member, isFailed: true);
        }
        catch (SpindleException e)
        {
            Log.LogError("Base bdev {Bdev} of RAID bdev {Name} failed, and stays in: {Reason}", member.Name, Name, e.Message);
        }
    }

    /// <summary>Takes a member out. The others know it before anything is acknowledged that the member does not have. An array that cannot do without it goes offline if the member goes away,
    /// and keeps it if it only failed.</summary>
    /// <exception cref="SpindleException">ENODEV: it is on its way out already. EIO: the others could not be told; it stays in.</exception>
    internal async Task RemoveAsync(RaidMember member, bool isFailed)
    {
        bool goesOffline = false;
        Task? leaves = null;
        await _turn.WaitAsync();
        try
        {
            var slot = Slots[member.Slot];
            if (isFailed && slot.Member == member && member.IsLeaving)
            {
                // It goes with the whole array, which waits for its I/O: what waits for this member ends here.
                await SettleAsync(member, isOut: false);
                return;
            }
            if (slot.Member != member || member.IsLeaving) throw new SpindleException(Errno.ENODEV, $"'{member.Name}' is not a member of '{Name}' any more.");
            if (State != RaidState.Online || Bdev is not { } bdev)
            {
                if (isFailed) await SettleAsync(member, isOut: false);
                else if (Bdev is null) ReleaseOfDown(slot);
                else member.IsLeaving = true; // closed with the others when the bdev is gone
                return;
            }
            if (!slot.IsTarget && !member.IsWrittenOff && Operational <= LeastOperational)
            {
                if (isFailed)
                {
                    // There is nothing better to read from: what failed is told to whoever asked for it.
                    await SettleAsync(member, isOut: false);
                    return;
                }
                member.IsLeaving = true;
                Operational--;
                State = RaidState.Offline;
                goesOffline = true;
                Log.LogError("RAID bdev {Name} goes offline: {Bdev} is gone, and it cannot do without", Name, member.Name);
            }
            else
            {
                leaves = LeaveAsync(bdev, await TakeOutAsync(bdev, slot, member, isFailed));
                _leaving = Task.WhenAll(_leaving, leaves);
            }
        }
        finally
        {
            _turn.Release();
        }
        if (goesOffline) await UnregisterAsync();
        if (leaves is not null) await leaves;
    }

    private void ReleaseOfDown(RaidSlot slot)
    {
        Release(slot);
        if (State == RaidState.Offline && Discovered == 0) _owner.Forget(this);
    }

    /// <summary>Has I/O go on without a member.</summary>
    /// <returns>It, and those that could not take the superblock.</returns>
    private async Task<List<RaidMember>> TakeOutAsync(RaidBdev bdev, RaidSlot slot, RaidMember member, bool isFailed)
    {
        Log.LogWarning("{What} base bdev in slot {Slot} ('{Bdev}') of raid bdev '{Name}'", isFailed ? "Failing" : "Removing", slot.Index, member.Name, Name);
        member.IsLeaving = true;
        var before = Super?.Clone();
        int operational = Operational;
        if (!slot.IsTarget && !member.IsWrittenOff) Operational--;
        Mark(slot, isFailed || member.IsWrittenOff ? SuperblockMemberState.Failed : SuperblockMemberState.Missing);
        List<RaidMember> leaving = [member];
        try
        {
            if (Super is not null) leaving.AddRange(await CommitAsync());
        }
        catch
        {
            // Some may have it in writing. What comes next has a higher number.
            if (before is not null) Super = before.After(Super!);
            Operational = operational;
            member.IsLeaving = false;
            await SettleAsync(member, isOut: false);
            throw;
        }
        foreach (var one in leaving)
        {
            one.IsLeaving = one.IsWrittenOff = true;
            await bdev.SettleAsync(one, isOut: true);
        }
        return leaving;
    }

    /// <summary>Gives back members that I/O goes on without. It waits for all I/O, and that may wait for another member to be taken out: the array's turn is for that one meanwhile.</summary>
    private async Task LeaveAsync(RaidBdev bdev, List<RaidMember> leaving)
    {
        foreach (var one in leaving) await EndIoAsync(one);
        try
        {
            await Context.Bdevs.QuiesceAsync(bdev);
            await bdev.PutLeavingAsync();
            await Context.Bdevs.UnquiesceAsync(bdev);
        }
        catch (SpindleException e) when (e.Errno == Errno.ENODEV)
        {
            return; // the bdev is going: its channels put all, and its end closes all
        }
        await _turn.WaitAsync();
        try
        {
            foreach (var one in leaving) Release(Slots[one.Slot]);
            if (IntentLog is { } log) await log.OnMembersChangedAsync(this);
        }
        finally
        {
            _turn.Release();
        }
        _owner.Spares.OnDegraded(this);
    }

    /// <summary>Ends what the member may never answer.</summary>
    private static async Task EndIoAsync(RaidMember member)
    {
        IBdevChannel? channel = null;
        try
        {
            channel = member.Descriptor.GetChannel();
            await MemberIo.RunAsync(channel, static (c, done, state) => c.Reset(done, state), "reset");
        }
        catch (SpindleException)
        {
            // It goes all the same.
        }
        finally
        {
            channel?.Put();
        }
    }

    private Task SettleAsync(RaidMember member, bool isOut) => Bdev?.SettleAsync(member, isOut) ?? Task.CompletedTask;

    /// <summary>Ends the array: its bdev is gone and its members are free when this returns.</summary>
    /// <exception cref="SpindleException">EALREADY: it is being deleted.</exception>
    internal async Task DeleteAsync()
    {
        if (IsDeleted) throw new SpindleException(Errno.EALREADY, $"RAID bdev '{Name}' is being deleted already.");
        IsDeleted = true;
        bool isUp;
        await _turn.WaitAsync();
        try
        {
            isUp = State == RaidState.Online;
            if (isUp) State = RaidState.Offline;
            foreach (var slot in Slots)
            {
                if (slot.Member is { } member && Bdev is not null) member.IsLeaving = true;
                else if (slot.Member is not null) Release(slot);
            }
        }
        finally
        {
            _turn.Release();
        }
        if (isUp) await UnregisterAsync();
        _owner.Forget(this);
    }

    private async Task UnregisterAsync()
    {
        try
        {
            await Context.Bdevs.UnregisterAsync(Bdev!);
        }
        catch (SpindleException e) when (e.Errno == Errno.ENODEV)
        {
            // The host is at it.
        }
    }

    /// <summary>The bdev is gone, with all I/O. An array that went offline keeps the members that are there until it is deleted.</summary>
    internal async ValueTask OnDestructedAsync()
    {
        // What it threw its caller has.
        await _leaving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        await _turn.WaitAsync();
        try
        {
            bool isStopped = State == RaidState.Online; // by the host, not by the array
            if (IntentLog is { } log) await log.CloseAsync(this);
            State = RaidState.Offline;
            Bdev = null;
            foreach (var slot in Slots)
                if (slot.Member is { } member && (isStopped || member.IsLeaving)) Release(slot);
        }
        finally
        {
            _turn.Release();
        }
        if (Discovered == 0) _owner.Forget(this);
    }
}
