using Microsoft.Extensions.Logging;
using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

public sealed partial class RaidArray
{
    private readonly Queue<RaidProcess> _processes = new();
    private readonly Queue<RaidRepair> _repairs = new();
    private readonly List<Guid> _deferred = [];
    private bool _isRepairing;

    /// <summary>What is done to the whole array now.</summary>
    internal RaidProcess? Process { get; private set; }

    /// <summary>Puts a bdev into an empty slot of an array that is online, and begins to rebuild it.</summary>
    private async Task StartRebuildAsync(RaidSlot slot, RaidMember member)
    {
        RaidBdev? quiesced = null;
        try
        {
            if (slot.ResumeBlocks > 0 && Bdev is { IsWritten: false } unwritten)
            {
                // What is written from here on goes to it as well. Before its turn: I/O that is under way may itself wait for one, to have a member taken out.
                await Context.Bdevs.QuiesceAsync(unwritten);
                quiesced = unwritten;
            }
            await StartRebuildInTurnAsync(slot, member, quiesced);
        }
        catch
        {
            member.Descriptor.Close();
            throw;
        }
        finally
        {
            if (quiesced is not null) await UnquiesceAsync(quiesced);
        }
    }

    private async Task UnquiesceAsync(RaidBdev bdev)
    {
        try
        {
            await Context.Bdevs.UnquiesceAsync(bdev);
        }
        catch (SpindleException e) when (e.Errno == Errno.ENODEV)
        {
            // It is going: nothing waits any more.
        }
    }

    private async Task StartRebuildInTurnAsync(RaidSlot slot, RaidMember member, RaidBdev? quiesced)
    {
        await _turn.WaitAsync();
        try
        {
            if (State != RaidState.Online || Bdev is not { } bdev || slot.Member is not null || Operational < LeastOperational || LeastOperational == Slots.Count)
                throw new SpindleException(Errno.ENODEV, $"'{Name}' is not online, or slot {slot.Index} is not empty.");
            CheckAbilities(bdev, member.Descriptor.Bdev);
            (slot.Member, slot.IsTarget) = (member, true);
            try
            {
                await WriteDownAsync(slot, member);
                ulong valid = await AttachAsync(bdev, slot, member, isQuiesced: bdev == quiesced);
                Enqueue(new RaidProcess(this, RaidStepKind.Rebuild, member, (valid, ulong.MaxValue)));
                if (IntentLog is { } log) await log.OnMembersChangedAsync(this);
            }
            catch
            {
                slot.Clear(keepsIdentity: false);
                throw;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <exception cref="SpindleException">EINVAL: hosts were told that the array can do what the bdev cannot.</exception>
    private void CheckAbilities(RaidBdev raid, Bdevs.Bdev bdev)
    {
        foreach (var type in new[] { BdevIoType.Unmap, BdevIoType.WriteZeroes, BdevIoType.Flush, BdevIoType.Reset })
            if (raid.Supports(type) && !bdev.Supports(type)) throw Invalid($"'{bdev.Name}' does not support {type}, and '{Name}' does as long as it is online. Use a bdev that does.");
        if (bdev.WriteCache && !raid.Supports(BdevIoType.Flush)) throw Invalid($"'{bdev.Name}' has a write cache, and '{Name}' passes no flush on. Use a bdev without one.");
    }

    /// <summary>The superblock names the member before it has the data, so that after a restart it is known.</summary>
    private async Task WriteDownAsync(RaidSlot slot, RaidMember member)
    {
        if (Super is null || Super.EntryOf(slot.Index) is not (>= 0 and var index)) return;
        SetEntry(index, slot, SuperblockMemberState.Missing);
        var failed = await CommitAsync();
        if (failed.Contains(member)) throw new SpindleException(Errno.EIO, $"'{member.Name}' cannot be written.");
        foreach (var other in failed) OnFailureReported(other);
    }

    private void SetEntry(int index, RaidSlot slot, SuperblockMemberState state)
    {
        var entry = Super!.Member(index);
        (entry.Uuid, entry.DataOffset, entry.DataBlocks, entry.State) = (slot.Uuid, slot.DataOffset, slot.DataBlocks, state);
        entry.SetRebuiltBlocks(0, 0);
    }

    /// <returns>The array's blocks that it has already.</returns>
    private async Task<ulong> AttachAsync(RaidBdev bdev, RaidSlot slot, RaidMember member, bool isQuiesced)
    {
        ulong resume = slot.ResumeBlocks, blocks = 0;
        slot.ResumeBlocks = 0;
        // What was written before it was quiesced the member did not get.
        if (resume > 0 && isQuiesced && !bdev.IsWritten)
        {
            ulong unit = bdev.Level.StepUnitBlocks, unitOnMember = Math.Max(bdev.Level.MemberBlocksOf(unit), 1);
            blocks = Math.Min(resume / unitOnMember * unit, bdev.BlockCount / unit * unit);
        }
        await bdev.AttachAsync(member, bdev.Level.MemberBlocksOf(blocks));
        return blocks;
    }

    /// <summary>Begins a background process, after those that were asked for before.</summary>
    internal void Enqueue(RaidProcess process)
    {
        _processes.Enqueue(process);
        if (Process is null) _ = RunProcessesAsync();
    }

    /// <summary>Brings ranges in step, as after an unclean stop. The array must be online.</summary>
    /// <param name="ranges">Where, in multiples of the level's unit.</param>
    public void StartResync(IEnumerable<(ulong First, ulong Blocks)> ranges) => Enqueue(new RaidProcess(this, RaidStepKind.Resync, null, ranges));

    /// <summary>The last scrub; null when there was none since the array came up.</summary>
    internal RaidProcess? Scrub { get; private set; }

    /// <summary>Begins to compare what is redundant with the data, on all of the array.</summary>
    internal void StartScrub(bool repairs)
    {
        Scrub = new RaidProcess(this, repairs ? RaidStepKind.Repair : RaidStepKind.Check, null, (0ul, ulong.MaxValue));
        Enqueue(Scrub);
    }

    private async Task RunProcessesAsync()
    {
        while (_processes.TryDequeue(out var process))
        {
            Process = process;
            string name = RaidProcess.NameOf(process.Kind);
            Log.LogInformation("Started {Process} on raid bdev {Name} at block {Offset}", name, Name, process.Offset);
            bool isDone = false;
            try
            {
                isDone = await process.RunAsync();
                process.Outcome = process.IsStopped ? "stopped" : "finished";
                if (isDone) Log.LogInformation("Finished {Process} on raid bdev {Name} at block {Offset}", name, Name, process.Offset);
            }
            catch (Exception e) when (e is SpindleException or RaidStepException)
            {
                (process.Outcome, process.Failure) = ("failed", e.Message);
                Log.LogWarning("Finished {Process} on raid bdev {Name} at block {Offset}: {Reason}", name, Name, process.Offset, e.Message);
            }
            Process = null;
            if (!isDone && process.Target is { } target && Slots[target.Slot].Member == target) await RemoveQuietlyAsync(target);
        }
        _owner.Spares.OnDegraded(this);
        foreach (var uuid in _deferred.ToArray())
        {
            _deferred.Remove(uuid);
            if (Context.Bdevs.Find(uuid.ToString("D")) is { } bdev) await _owner.ExamineAsync(bdev);
        }
    }

    /// <summary>A bdev that came while a process runs is looked at again when that ends.</summary>
    internal void Defer(Guid uuid)
    {
        if (!_deferred.Contains(uuid)) _deferred.Add(uuid);
    }

    /// <summary>Writes down how far a member is rebuilt.</summary>
    internal async Task CheckpointAsync(RaidProcess process)
    {
        if (Super is null || process.Target is not { } target) return;
        await FlushAsync(target);
        await _turn.WaitAsync();
        try
        {
            if (Bdev is not { } bdev || Slots[target.Slot].Member != target || (target.IsLeaving && State == RaidState.Online) || Super.EntryOf(target.Slot) is not (>= 0 and var index)) return;
            Super.Member(index).SetRebuiltBlocks(bdev.Level.MemberBlocksOf(process.Offset), Super.Sequence + 1);
            foreach (var failed in await CommitAsync()) OnFailureReported(failed);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <returns>False when it is no member.</returns>
    internal async Task<bool> FinishRebuildAsync(RaidMember target)
    {
        await FlushAsync(target);
        await _turn.WaitAsync();
        try
        {
            var slot = Slots[target.Slot];
            if (slot.Member != target || target.IsLeaving || State != RaidState.Online || Bdev is not { } bdev) return false;
            if (Super is not null && Super.EntryOf(slot.Index) is >= 0 and var index)
            {
                SetEntry(index, slot, SuperblockMemberState.Configured);
                var failed = await CommitAsync();
                foreach (var other in failed.Where(other => other != target)) OnFailureReported(other);
                if (failed.Contains(target)) return false;
            }
            slot.IsTarget = false;
            Operational++;
            await bdev.AdvanceAsync(target, ulong.MaxValue);
            return true;
        }
        finally
        {
            _turn.Release();
        }
    }

    private static async Task FlushAsync(RaidMember member)
    {
        if (!member.Descriptor.Bdev.Supports(BdevIoType.Flush)) return;
        var channel = member.Descriptor.GetChannel();
        try
        {
            await MemberIo.RunAsync(channel, static (c, done, state) => c.Flush(0, c.Bdev.BlockCount, done, state), "flushed");
        }
        finally
        {
            channel.Put();
        }
    }

    /// <summary>A channel saw a range that a member cannot read, or did not get.</summary>
    internal void OnRepairAsked(RaidRepair repair)
    {
        _repairs.Enqueue(repair);
        if (!_isRepairing) _ = RunRepairsAsync();
    }

    private async Task RunRepairsAsync()
    {
        _isRepairing = true;
        while (_repairs.TryDequeue(out var repair))
        {
            var (member, offset, blocks) = (repair.Member, repair.Offset, repair.Blocks);
            try
            {
                if (Slots[member.Slot].Member == member && !member.IsLeaving && State == RaidState.Online && Bdev is { } bdev) await RepairAsync(bdev, member, offset, blocks);
            }
            catch (SpindleException e)
            {
                Log.LogWarning("Blocks {Offset} to {End} of raid bdev {Name} could not be written again on {Bdev}: {Reason}", offset, offset + blocks - 1, Name, member.Name, e.Message);
            }
            repair.End();
        }
        _isRepairing = false;
    }

    private async Task RepairAsync(RaidBdev bdev, RaidMember member, ulong offset, ulong blocks)
    {
        const ulong Most = 1 << 20;
        ulong unit = bdev.Level.StepUnitBlocks, end = Math.Min((offset + blocks + unit - 1) / unit * unit, bdev.BlockCount);
        ulong most = Math.Max(Most / bdev.BlockSize / unit, 1) * unit;
        if (bdev.Level.CreateStep(Context.Memory, Math.Min(most, end)) is not { } step) return;
        using (step)
        {
            var channel = (RaidChannel)Context.Threads.GetChannel(bdev);
            try
            {
                for (ulong at = offset / unit * unit; at < end; at += most)
                {
                    ulong count = Math.Min(most, end - at);
                    await Context.Bdevs.QuiesceRangeAsync(bdev, at, count);
                    try
                    {
                        await step.RunAsync(channel, RaidStepKind.Rebuild, member.Slot, at, count);
                    }
                    catch (RaidStepException e) when (e.Slot == member.Slot)
                    {
                        OnFailureReported(member);
                        return;
                    }
                    catch (RaidStepException e)
                    {
                        throw new SpindleException(Errno.EIO, e.Message);
                    }
                    finally
                    {
                        await Context.Bdevs.UnquiesceRangeAsync(bdev, at, count);
                    }
                }
            }
            finally
            {
                Context.Threads.PutChannel(channel);
            }
        }
    }
}
