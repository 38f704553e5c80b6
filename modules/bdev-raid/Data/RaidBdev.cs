using System.Runtime.CompilerServices;
using Spindle.Bdevs;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Bdev.Raid;

/// <summary>The bdev of an array that is online. Who its members are changes on the app thread; every channel is told on its own.</summary>
public sealed class RaidBdev : Bdevs.Bdev
{
    private readonly Lock _lock = new(); // control plane: what a channel starts with, and which channels there are
    private readonly List<RaidChannel> _channels = [];
    private readonly RaidMember?[] _members;
    private readonly RaidArray _array;
    private readonly Action<RaidMember> _report;
    private readonly uint _supported; // who is put in later supports as much
    private int _target = -1;
    private ulong _targetBlocks;

    internal RaidBdev(RaidArray array, RaidLevel level, ulong blockCount, IEnumerable<RaidMember> members)
        : base(array.Name, "Raid Volume", level.Geometry.BlockSize, blockCount)
    {
        _array = array;
        _report = array.OnFailureReported;
        Level = level;
        _members = new RaidMember?[level.Geometry.MemberCount];
        var all = members.ToArray();
        foreach (var member in all) _members[member.Slot] = member;
        _supported = TypesOf(level, all);
        var first = all[0].Descriptor.Bdev;
        Uuid = array.Uuid;
        BaseBdevNames = [.. all.Select(member => member.Descriptor.Bdev.Name)];
        MetadataSize = first.MetadataSize;
        MetadataInterleaved = first.MetadataInterleaved;
        RequiredAlignment = level.AlignmentOf(all.Max(member => member.Descriptor.Bdev.RequiredAlignment));
        WriteCache = all.Any(member => member.Descriptor.Bdev.WriteCache);
        PhysicalBlockSize = all.Max(member => member.Descriptor.Bdev.PhysicalBlockSize);
        WriteUnitBlocks = level.WriteUnitBlocks;
        SplitOnWriteUnit = level.WriteUnitBlocks > 1;
        OptimalIoBoundary = level.OptimalIoBoundary;
        SplitOnOptimalIoBoundary = level.OptimalIoBoundary != 0;
        MaxRwBlocks = level.MaxRwBlocks;
    }

    internal RaidArray Array => _array;

    /// <summary>What the array does with an I/O.</summary>
    public RaidLevel Level { get; }

    /// <summary>Where levels have their buffers from.</summary>
    internal Spindle.Memory.IDmaMemory Memory => _array.Context.Memory;

    /// <summary>True once something was written since the array came up.</summary>
    internal bool IsWritten { get; private set; }

    /// <inheritdoc/>
    [DataPath]
    public override bool Supports(BdevIoType type) => (_supported >> (int)type & 1) != 0;

    private static uint TypesOf(RaidLevel level, RaidMember[] members)
    {
        uint types = 1u << (int)BdevIoType.Read | 1u << (int)BdevIoType.Write;
        foreach (var type in new[] { BdevIoType.Unmap, BdevIoType.WriteZeroes, BdevIoType.Flush, BdevIoType.Reset })
        {
            bool isCarried = type == BdevIoType.Reset || level.Carries(type);
            if (isCarried && System.Array.TrueForAll(members, member => member.Descriptor.Bdev.Supports(type))) types |= 1u << (int)type;
        }
        return types;
    }

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread)
    {
        var channel = new RaidChannel(this, thread, _members.Length);
        lock (_lock)
        {
            foreach (var member in _members)
                if (member is not null) channel.Attach(member);
            (channel.Target, channel.TargetBlocks) = (_target, _targetBlocks);
            _channels.Add(channel);
        }
        try
        {
            channel.LevelState = Level.CreateChannelState(channel);
            channel.Intent = _array.IntentLog?.CreateChannel(channel);
            return channel;
        }
        catch
        {
            channel.Abandon();
            throw;
        }
    }

    /// <inheritdoc/>
    public override object CreateIoContext(BdevIo io) => Level.CreateIo(io);

    /// <inheritdoc/>
    [DataPath]
    public override void Submit(IoChannel channel, BdevIo io)
    {
        if (io.Type is not BdevIoType.Read && !IsWritten) IsWritten = true;
        Unsafe.As<RaidIo>(io.Context!).Start(Unsafe.As<RaidChannel>(channel));
    }

    /// <inheritdoc/>
    [DataPath]
    public override void FlushChannel(IoChannel channel) => ((RaidChannel)channel).Flush();

    /// <inheritdoc/>
    public override void DumpInfo(IRpcWriter writer) => _array.DumpInfo(writer);

    /// <inheritdoc/>
    public override void WriteConfig(IConfigWriter writer) => _array.WriteConfig(writer);

    /// <inheritdoc/>
    public override ValueTask DestructAsync() => _array.OnDestructedAsync();

    /// <summary>A member has failed, on any thread: the array hears of it on the app thread.</summary>
    [DataPath]
    internal void Report(RaidMember member) => _array.AppThread.Send(member.Reported, _report);

    internal void Forget(RaidChannel channel)
    {
        lock (_lock) _channels.Remove(channel);
    }

    /// <summary>Puts a member in, and has every channel open a way to it.</summary>
    /// <param name="member">The member.</param>
    /// <param name="validBlocks">Blocks of its data region that hold the array's data: it is being rebuilt.</param>
    internal Task AttachAsync(RaidMember member, ulong validBlocks)
    {
        lock (_lock) (_members[member.Slot], _target, _targetBlocks) = (member, member.Slot, validBlocks);
        return VisitAsync(channel =>
        {
            channel.Attach(member);
            (channel.Target, channel.TargetBlocks) = (member.Slot, validBlocks);
        });
    }

    /// <summary>Says how far the target is rebuilt; the largest number when it is whole, and no target any more.</summary>
    internal Task AdvanceAsync(RaidMember member, ulong validBlocks)
    {
        lock (_lock)
        {
            if (_target != member.Slot || _members[member.Slot] != member) return Task.CompletedTask;
            (_target, _targetBlocks) = (validBlocks == ulong.MaxValue ? -1 : member.Slot, validBlocks);
        }
        return VisitAsync(channel =>
        {
            if (channel.Target != member.Slot) return;
            (channel.Target, channel.TargetBlocks) = (validBlocks == ulong.MaxValue ? -1 : member.Slot, validBlocks);
        });
    }

    /// <summary>Takes a member out of all channels, or tells them that it stays in.</summary>
    internal Task SettleAsync(RaidMember member, bool isOut)
    {
        if (isOut)
        {
            lock (_lock)
            {
                if (_members[member.Slot] == member) _members[member.Slot] = null;
                if (_target == member.Slot) _target = -1;
            }
        }
        return VisitAsync(channel => channel.Settle(member, isOut));
    }

    /// <summary>Gives back the ways to members that are out. No I/O to them may be under way: the bdev is quiesced.</summary>
    internal Task PutLeavingAsync() => VisitAsync(static channel => channel.PutLeaving());

    private async Task VisitAsync(Action<RaidChannel> visit)
    {
        RaidChannel[] channels;
        lock (_lock) channels = [.. _channels];
        await Task.WhenAll(channels.Select(channel => VisitAsync(channel, visit)));
    }

    private static async Task VisitAsync(RaidChannel channel, Action<RaidChannel> visit)
    {
        if (channel.IsGone || channel.Owner.IsExited) return;
        await channel.Owner.InvokeAsync(() =>
        {
            if (!channel.IsGone) visit(channel);
            return Task.CompletedTask;
        });
    }
}
