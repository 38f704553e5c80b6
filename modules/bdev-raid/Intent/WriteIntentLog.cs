using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.Bdev.Raid.Intent;

/// <summary>The write-intent bitmap of an array with a superblock: a bit for each region is set on the members before the region is written, and cleared when it has not been for a while. After
/// an unclean stop the regions whose bits are set are brought in step, and no others. On the app thread, but for <see cref="Table"/>.</summary>
internal sealed class WriteIntentLog : RaidIntentLog
{
    /// <summary>How long a region is not written until its bit is cleared: once to twice this.</summary>
    private static readonly TimeSpan s_idle = TimeSpan.FromSeconds(5);

    private readonly RaidArray _array;
    private readonly Lock _lock = new(); // control plane: which channels there are
    private readonly List<IntentChannel> _channels = [];
    // Held while the bitmap is written.
    private readonly SemaphoreSlim _turn = new(1);
    private readonly HashSet<int> _changed = []; // pages
    private DmaBuffer? _memory;
    private IPoller? _sweeper;
    private ulong _epoch;
    private ulong _inStepFrom, _inStepTo;
    private bool _isClosing;
    private int _isAsked, _isResyncAsked;

    internal WriteIntentLog(RaidArray array, RaidLevel level, ulong blockCount)
    {
        _array = array;
        Geometry = new IntentGeometry(blockCount, level.Geometry.BlockSize, level.StepUnitBlocks);
        Table = new IntentTable(Geometry);
    }

    internal IntentGeometry Geometry { get; }

    internal IntentTable Table { get; }

    private Span<byte> Bytes => Memory.Slice(0, (uint)IntentFormat.LengthOf(Geometry)).Span;

    private DmaBuffer Memory => _memory ??= _array.Context.Memory.Allocate((nuint)IntentFormat.LengthOf(Geometry));

    /// <summary>Regions of which it is not known whether what is redundant fits the data.</summary>
    internal int RegionsInDoubt => Enumerable.Range(0, Table.Count).Count(Table.IsInDoubt);

    /// <summary>Regions whose bits are set.</summary>
    internal int RegionsMarked => Enumerable.Range(0, Table.Count).Count(Table.IsMarked);

    /// <summary>Whether there is room for it before a member's data.</summary>
    internal bool Fits(RaidMember member)
    {
        uint block = SuperblockIo.DataBlockSize(member.Descriptor.Bdev);
        return IntentFormat.Page % block == 0 && member.DataOffset * block >= IntentFormat.Start + (ulong)IntentFormat.LengthOf(Geometry);
    }

    /// <inheritdoc/>
    public override async Task OpenAsync(RaidArray array)
    {
        var found = new List<(ulong Epoch, byte[] Bytes)>();
        foreach (var member in Members())
        {
            try
            {
                await IntentIo.ReadAsync(member.Descriptor, Memory, Bytes.Length);
                if (IntentFormat.EpochOf(Bytes, array.Super!.Uuid, Geometry) is > 0 and var epoch) found.Add((epoch, Bytes.ToArray()));
            }
            catch (SpindleException e)
            {
                array.Log.LogWarning("The write-intent bitmap on {Bdev} of raid bdev {Name} cannot be read: {Reason}", member.Name, array.Name, e.Message);
            }
        }
        bool[] dirty = new bool[Table.Count];
        _epoch = found.Count == 0 ? 0 : found.Max(one => one.Epoch);
        // One that was not written as often is older than what the others say.
        foreach (var (epoch, bytes) in found)
            if (epoch == _epoch) IntentFormat.Collect(bytes, Geometry, dirty);
        Bytes.Clear();
        for (int region = 0; region < dirty.Length; region++)
        {
            if (!dirty[region]) continue;
            IntentFormat.Set(Bytes, region, true);
            Table.SetMarked(region);
            Table.SetDoubt(region);
        }
        _epoch++;
        await WriteAllAsync();
        _sweeper = array.AppThread.RegisterPoller("raid_intent", static state =>
        {
            _ = ((WriteIntentLog)state!).SweepAsync();
            return PollResult.Busy;
        }, this, s_idle, PollerWake.Events);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<(ulong First, ulong Blocks)> OutOfStep
    {
        get
        {
            var ranges = new List<(ulong First, ulong Blocks)>();
            for (int region = 0; region < Table.Count; region++)
            {
                if (!Table.IsInDoubt(region)) continue;
                ulong first = (ulong)region * Geometry.RegionBlocks;
                if (ranges.Count > 0 && ranges[^1].First + ranges[^1].Blocks == first) ranges[^1] = (ranges[^1].First, ranges[^1].Blocks + Geometry.RegionBlocks);
                else ranges.Add((first, Geometry.RegionBlocks));
            }
            if (ranges.Count > 0)
                _array.Log.LogWarning("{Count} regions of {Blocks} blocks of raid bdev {Name} were being written when it stopped, or a write there failed", RegionsInDoubt, Geometry.RegionBlocks, _array.Name);
            return ranges;
        }
    }

    /// <inheritdoc/>
    public override Task OnMembersChangedAsync(RaidArray array) => WriteAllAsync();

    /// <inheritdoc/>
    public override async Task<bool> TryGrowAsync(ulong blockCount)
    {
        if (!Geometry.TryGrow(blockCount)) return false;
        // Larger than the superblock says is not wrong: such a bitmap is read for what there is of the array.
        await WriteAllAsync();
        return true;
    }

    /// <inheritdoc/>
    public override async Task CloseAsync(RaidArray array)
    {
        _sweeper?.Unregister();
        await _turn.WaitAsync();
        _isClosing = true;
        try
        {
            await FlushAsync();
            for (int region = 0; region < Table.Count; region++)
                if (!Table.IsInDoubt(region)) IntentFormat.Set(Bytes, region, false);
            await WriteAsync(0, Bytes.Length / IntentFormat.Page);
            _memory?.Dispose();
            _memory = null;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public override void OnRangeInStep(ulong firstBlock, ulong blocks)
    {
        if (firstBlock != _inStepTo) _inStepFrom = firstBlock;
        _inStepTo = firstBlock + blocks;
        // A region is in step when all of it is, one window after the other.
        ulong first = (_inStepFrom + Geometry.RegionBlocks - 1) / Geometry.RegionBlocks;
        ulong end = _inStepTo >= Geometry.BlockCount ? (ulong)Table.Count : _inStepTo / Geometry.RegionBlocks;
        for (ulong region = Math.Max(first, firstBlock / Geometry.RegionBlocks); region < end; region++) Table.ClearDoubt((int)region);
    }

    /// <summary>Takes what is redundant for what it should be, whatever it is.</summary>
    internal int AcceptDoubt()
    {
        int count = RegionsInDoubt;
        for (int region = 0; region < Table.Count; region++) Table.ClearDoubt(region);
        return count;
    }

    /// <inheritdoc/>
    public override RaidWriteIntent CreateChannel(RaidChannel channel)
    {
        var made = new IntentChannel(this, channel);
        lock (_lock) _channels.Add(made);
        return made;
    }

    internal void Forget(IntentChannel channel)
    {
        lock (_lock) _channels.Remove(channel);
    }

    /// <summary>A region has to be marked. On any thread.</summary>
    [DataPath]
    internal void Ask()
    {
        if (Interlocked.Exchange(ref _isAsked, 1) == 0) _array.AppThread.Send(s_mark, this);
    }

    /// <summary>A region is in doubt now. On any thread.</summary>
    [DataPath]
    internal void AskForResync()
    {
        if (Interlocked.Exchange(ref _isResyncAsked, 1) == 0) _array.AppThread.Send(s_resync, this);
    }

    private static readonly StorageMessage s_mark = static state => _ = ((WriteIntentLog)state!).MarkAsync();
    private static readonly StorageMessage s_resync = static state => ((WriteIntentLog)state!).StartResync();

    /// <summary>Has what is in doubt brought in step, if all is there that it takes.</summary>
    private void StartResync()
    {
        Volatile.Write(ref _isResyncAsked, 0);
        if (_array.State == RaidState.Online && OutOfStep is { Count: > 0 } ranges) _array.StartResync(ranges);
    }

    private async Task MarkAsync()
    {
        await _turn.WaitAsync();
        try
        {
            Volatile.Write(ref _isAsked, 0);
            if (_memory is null) return;
            var wanted = new List<int>();
            for (int region = 0; region < Table.Count; region++)
            {
                if (!Table.IsWanted(region)) continue;
                wanted.Add(region);
                if (!IntentFormat.Has(Bytes, region)) Change(region, true);
            }
            await WriteChangedAsync();
            foreach (int region in wanted) Table.SetMarked(region);
        }
        finally
        {
            _turn.Release();
        }
        lock (_lock)
        {
            foreach (var channel in _channels) channel.Wake();
        }
    }

    /// <summary>Clears the bits of regions that were not written lately.</summary>
    internal async Task SweepAsync()
    {
        var idle = new List<int>();
        for (int region = 0; region < Table.Count; region++)
            if (Table.IsIdle(region)) idle.Add(region);
        if (idle.Count == 0) return;
        await _turn.WaitAsync();
        try
        {
            if (_memory is null) return;
            // What has been written there is on the members for good, before they forget that it was.
            if (!await FlushAsync()) return;
            foreach (int region in idle)
                if (Table.TryUnmark(region)) Change(region, false);
            await WriteChangedAsync();
        }
        finally
        {
            _turn.Release();
        }
    }

    private void Change(int region, bool value)
    {
        IntentFormat.Set(Bytes, region, value);
        _changed.Add(IntentFormat.PageOf(region));
    }

    private async Task WriteChangedAsync()
    {
        if (_changed.Count == 0) return;
        int first = _changed.Min(), last = _changed.Max();
        _changed.Clear();
        await WriteAsync(first, last - first + 1);
    }

    private async Task WriteAllAsync()
    {
        await _turn.WaitAsync();
        try
        {
            IntentFormat.WriteHeader(Bytes, _array.Super!.Uuid, _epoch, Geometry);
            await WriteAsync(0, Bytes.Length / IntentFormat.Page);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Those that have a bitmap; at the end of the array, when all are leaving, these as well.</summary>
    private RaidMember[] Members() => [.. _array.Slots.Select(slot => slot.Member).OfType<RaidMember>().Where(member => (_isClosing || !member.IsLeaving) && !member.IsWrittenOff && Fits(member))];

    /// <summary>Writes pages to all members. One that fails will fail what is written to it, too, and be taken out for that.</summary>
    private async Task WriteAsync(int page, int pages)
    {
        for (int i = page; i < page + pages; i++) IntentFormat.Seal(Bytes, i);
        await Task.WhenAll(Members().Select(member => TryAsync(member, () => IntentIo.WriteAsync(member.Descriptor, Memory, page * IntentFormat.Page, pages * IntentFormat.Page))));
    }

    private async Task<bool> FlushAsync() => (await Task.WhenAll(Members().Select(member => TryAsync(member, () => IntentIo.FlushAsync(member.Descriptor))))).All(done => done);

    private async Task<bool> TryAsync(RaidMember member, Func<Task> what)
    {
        try
        {
            await what();
            return true;
        }
        catch (SpindleException e)
        {
            if (!member.IsLeaving) _array.Log.LogWarning("The write-intent bitmap on {Bdev} of raid bdev {Name} cannot be written: {Reason}", member.Name, _array.Name, e.Message);
            return false;
        }
    }
}
