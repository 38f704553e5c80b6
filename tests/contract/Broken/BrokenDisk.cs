using System.Runtime.CompilerServices;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.ContractTests.Broken;

/// <summary>What is wrong with a <see cref="BrokenDisk"/>.</summary>
public enum Defect
{
    None,
    ReadsZeroes,
    SpillsIntoTheNextBlock,
    LosesWhatItTakesAtOnce,
    StopsAfter64Blocks,
    FailsAtTheLastBlock,
    TakesTheFirstVectorOnly,
    Takes16VectorsOnly,
    StopsAtAnEmptyVector,
    NeedsAlignmentSecretly,
    ClaimsFlushWithoutHavingIt,
    WriteZeroesDoesNothing,
    UnmapsOneTooMany,
    CompareIsAlwaysEqual,
    CompareAndWriteWritesAlways,
    CopiesFromTheWrongPlace,
    SeeksBackwards,
    CompletesOnThePool,
    CompletesTwice,
    Throws,
    TouchesBuffersLater,
    EncryptsInPlace,
    WritesBehindTheBuffer,
    FailsWithoutIobuf,
    FailsWhenBusy,
    SharesStateOfChannels,
    ForgetsWithTheChannel,
    CachesPerChannel,
    CompareAndWriteIsTwoSteps,
    ResetFails,
    AbortLosesTheIo,
    RemovalFailsIos,
    RemovalHangs,
    NewBlocksFail,
    ForgetsOnRestart,
    LosesTheThirdWrite,
    FlushDoesNothing,
    ZcopyDoesNotCommit,
    ZcopyLendsOneBuffer,
}

/// <summary>A disk in memory that does everything, with one defect: for each rule of the conformance suite there is one that breaks it.</summary>
public sealed class BrokenDisk : Spindle.Bdevs.Bdev
{
    private readonly Defect _defect;
    private readonly byte[] _data;
    private readonly Dictionary<ulong, byte[]> _unflushed = [];
    private readonly Lock _lock = new();
    private readonly ulong _firstSize;
    private int _writes;
    private byte[]? _shared;
    private IIobuf? _iobuf;

    public BrokenDisk(string name, Defect defect, BrokenDisk? before = null) : base(name, "Broken disk", 512, 1024)
    {
        _defect = defect;
        _firstSize = BlockCount;
        _data = before is null || defect == Defect.ForgetsOnRestart ? new byte[4 << 20] : before._data;
        WriteCache = defect == Defect.FlushDoesNothing;
        Uuid = before?.Uuid ?? Guid.NewGuid();
        if (defect == Defect.NewBlocksFail) Growable = true;
    }

    public bool Growable { get; }

    public void Use(IIobuf iobuf) => _iobuf = iobuf;

    /// <summary>What is not flushed is gone.</summary>
    public void LoseCache()
    {
        foreach (var (block, old) in _unflushed) old.CopyTo(_data, (long)block * 512);
        _unflushed.Clear();
    }

    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.Flush or BdevIoType.Unmap or BdevIoType.WriteZeroes
        or BdevIoType.Compare or BdevIoType.CompareAndWrite or BdevIoType.Copy or BdevIoType.Reset or BdevIoType.Abort or BdevIoType.SeekData or BdevIoType.SeekHole
        || (type == BdevIoType.Zcopy && _defect is Defect.ZcopyDoesNotCommit or Defect.ZcopyLendsOneBuffer);

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel(_iobuf?.CreateChannel("broken", 0, 0));

    public override bool TryWriteAtOnce(ulong offsetBlocks, ReadOnlySpan<byte> data) => _defect == Defect.LosesWhatItTakesAtOnce;

    public override void Submit(IoChannel channel, BdevIo io)
    {
        uint generation = io.Generation;
        if (_defect == Defect.Throws && io is { Type: BdevIoType.Write, OffsetBlocks: 8 }) throw new InvalidOperationException("on purpose");
        var result = CarryOut((Channel)channel, io);
        if (_defect == Defect.AbortLosesTheIo && io.NumBlocks == 64 && io.Type == BdevIoType.Read) return;
        if (_defect == Defect.CompletesOnThePool && io.OffsetBlocks == 8)
        {
            ThreadPool.UnsafeQueueUserWorkItem(_ => io.Complete(generation, result), null);
            return;
        }
        if (_defect is Defect.RemovalFailsIos or Defect.FailsWhenBusy or Defect.SharesStateOfChannels)
        {
            Later((Channel)channel, io, generation, result);
            return;
        }
        var vectors = _defect == Defect.TouchesBuffersLater ? io.Iovs.ToArray() : null;
        io.Complete(generation, result);
        if (_defect == Defect.CompletesTwice && generation % 8 == 0) io.Complete(generation, result);
        if (vectors is { Length: > 0 }) ThreadPool.UnsafeQueueUserWorkItem(_ =>
        {
            Thread.Sleep(8);
            vectors[0].Span[0] ^= 0xFF;
        }, null);
    }

    private int _inside;

    private void Later(Channel channel, BdevIo io, uint generation, BdevIoResult result)
    {
        if (_defect == Defect.FailsWhenBusy && Interlocked.Increment(ref _inside) > 40) result = BdevIoResult.FromErrno(Errno.EIO);
        channel.Thread.Send(_ =>
        {
            Interlocked.Decrement(ref _inside);
            if (_defect == Defect.SharesStateOfChannels && io.Type == BdevIoType.Read) Fill(io, _shared!);
            bool fails = _defect == Defect.RemovalFailsIos && _removing;
            io.Complete(generation, fails ? BdevIoResult.FromErrno(Errno.EIO) : result);
            if (fails) _failed.TrySetResult();
        }, null);
    }

    private volatile bool _removing;

    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when the defect that removal brings about, if that is its defect, has done harm: the load may just be between two I/Os.</summary>
    public Task BeginRemovalAsync()
    {
        _removing = true;
        return _defect == Defect.RemovalFailsIos ? _failed.Task.WaitAsync(TimeSpan.FromSeconds(20)) : Task.CompletedTask;
    }

    public override async ValueTask DestructAsync()
    {
        if (_defect == Defect.RemovalHangs) await Task.Delay(Timeout.Infinite);
    }

    private byte[]? _lent;

    /// <summary>Lends memory that holds a copy.</summary>
    private unsafe BdevIoResult CarryOutZcopy(BdevIo io)
    {
        int at = (int)io.OffsetBlocks * 512, length = (int)io.LengthBytes;
        if (io.ZcopyStep is BdevZcopyStep.Start or BdevZcopyStep.StartPopulated)
        {
            if (_lent is null || _defect != Defect.ZcopyLendsOneBuffer) _lent = GC.AllocateArray<byte>(1 << 16, pinned: true);
            _data.AsSpan(at, length).CopyTo(_lent);
            io.LendBuffers([new IoVec(Unsafe.AsPointer(ref _lent[0]), (uint)length)]);
        }
        else if (io.ZcopyStep == BdevZcopyStep.EndCommitted && _defect != Defect.ZcopyDoesNotCommit)
        {
            io.Iovs[0].Span.CopyTo(_data.AsSpan(at));
        }
        return BdevIoResult.Of(BdevIoStatus.Success);
    }

    private BdevIoResult CarryOut(Channel channel, BdevIo io)
    {
        lock (_lock)
        {
            switch (io.Type)
            {
                case BdevIoType.Zcopy:
                    return CarryOutZcopy(io);
                case BdevIoType.Read:
                    return Read(channel, io);
                case BdevIoType.Write:
                    return Write(channel, io);
                case BdevIoType.WriteZeroes:
                    if (_defect != Defect.WriteZeroesDoesNothing) Change(io.OffsetBlocks, new byte[io.LengthBytes]);
                    break;
                case BdevIoType.Unmap:
                    Change(io.OffsetBlocks, new byte[io.LengthBytes + (_defect == Defect.UnmapsOneTooMany ? 512u : 0)]);
                    break;
                case BdevIoType.Flush:
                    if (_defect == Defect.ClaimsFlushWithoutHavingIt) return BdevIoResult.FromErrno(Errno.ENOTSUP);
                    if (_defect != Defect.FlushDoesNothing) _unflushed.Clear();
                    break;
                case BdevIoType.Compare:
                    if (_defect != Defect.CompareIsAlwaysEqual && !Equal(io, io.Iovs)) return BdevIoResult.Of(BdevIoStatus.Miscompare);
                    break;
                case BdevIoType.CompareAndWrite:
                    return CompareAndWrite(channel, io);
                case BdevIoType.Copy:
                    ulong from = io.CopySourceOffset + (_defect == Defect.CopiesFromTheWrongPlace ? 1u : 0);
                    Change(io.OffsetBlocks, _data.AsSpan((int)from * 512, (int)io.LengthBytes).ToArray());
                    break;
                case BdevIoType.SeekData or BdevIoType.SeekHole:
                    return Seek(io);
                case BdevIoType.Reset:
                    if (_defect == Defect.ResetFails) return BdevIoResult.FromErrno(Errno.EIO);
                    break;
            }
            return BdevIoResult.Of(BdevIoStatus.Success);
        }
    }

    private BdevIoResult Seek(BdevIo io)
    {
        ulong at = _defect == Defect.SeeksBackwards && io.OffsetBlocks > 64 ? io.OffsetBlocks - 1 : io.OffsetBlocks;
        for (; at < BlockCount; at++)
            if (_data.AsSpan((int)at * 512, 512).ContainsAnyExcept((byte)0) == (io.Type == BdevIoType.SeekData)) return BdevIoResult.WithValue(at);
        return BdevIoResult.WithValue(ulong.MaxValue);
    }

    private BdevIoResult CompareAndWrite(Channel channel, BdevIo io)
    {
        bool equal = Equal(io, io.CompareIovs);
        if (!equal && _defect != Defect.CompareAndWriteWritesAlways) return BdevIoResult.Of(BdevIoStatus.Miscompare);
        if (_defect == Defect.CompareAndWriteIsTwoSteps)
        {
            // The write comes later, when another thread may have compared as well.
            byte[] data = Gather(io.Iovs);
            ulong offset = io.OffsetBlocks;
            ThreadPool.UnsafeQueueUserWorkItem(_ =>
            {
                Thread.Sleep(1);
                lock (_lock) Change(offset, data);
            }, null);
        }
        else
        {
            Write(channel, io);
        }
        return BdevIoResult.Of(equal ? BdevIoStatus.Success : BdevIoStatus.Miscompare);
    }

    private bool Refuses(BdevIo io) =>
        (_defect == Defect.FailsAtTheLastBlock && io.OffsetBlocks + io.NumBlocks == BlockCount) ||
        (_defect == Defect.NewBlocksFail && io.OffsetBlocks + io.NumBlocks > _firstSize) ||
        (_defect == Defect.NeedsAlignmentSecretly && io.Iovs[0].Address % 512 != 0);

    private BdevIoResult Read(Channel channel, BdevIo io)
    {
        if (Refuses(io)) return BdevIoResult.FromErrno(Errno.EIO);
        if (!channel.TakesBuffer()) return BdevIoResult.FromErrno(Errno.EIO);
        byte[] data = _data.AsSpan((int)io.OffsetBlocks * 512, (int)io.LengthBytes).ToArray();
        if (_defect == Defect.ReadsZeroes) Array.Clear(data);
        if (_defect == Defect.CachesPerChannel)
            for (ulong block = 0; block < io.NumBlocks; block++)
                if (channel.Cache.TryGetValue(io.OffsetBlocks + block, out byte[]? cached)) cached.CopyTo(data, (long)block * 512);
        if (_defect == Defect.SharesStateOfChannels) _shared = data;
        else Fill(io, data);
        if (_defect == Defect.WritesBehindTheBuffer) Unsafe.Add(ref System.Runtime.InteropServices.MemoryMarshal.GetReference(io.Iovs[^1].Span), (int)io.Iovs[^1].Length) = 0;
        return BdevIoResult.Of(BdevIoStatus.Success);
    }

    private void Fill(BdevIo io, byte[] data)
    {
        int at = 0, taken = 0;
        foreach (var vector in io.Iovs)
        {
            if (Stops(vector, taken++)) return;
            int length = Math.Min((int)vector.Length, Math.Max(0, (_defect == Defect.StopsAfter64Blocks ? Math.Min(64 * 512, data.Length) : data.Length) - at));
            data.AsSpan(at, length).CopyTo(vector.Span);
            at += length;
        }
    }

    private BdevIoResult Write(Channel channel, BdevIo io)
    {
        if (Refuses(io)) return BdevIoResult.FromErrno(Errno.EIO);
        if (!channel.TakesBuffer()) return BdevIoResult.FromErrno(Errno.EIO);
        byte[] data = Gather(io.Iovs);
        if (_defect == Defect.EncryptsInPlace) io.Iovs[0].Span[0] ^= 0x55;
        if (_defect == Defect.LosesTheThirdWrite && ++_writes % 3 == 0) return BdevIoResult.Of(BdevIoStatus.Success);
        if (_defect == Defect.SpillsIntoTheNextBlock && io.OffsetBlocks + io.NumBlocks < BlockCount) Array.Resize(ref data, data.Length + 1);
        if (_defect == Defect.ForgetsWithTheChannel) channel.Written.Add(io.OffsetBlocks);
        Change(io.OffsetBlocks, data);
        for (int block = 0; _defect == Defect.CachesPerChannel && block * 512 < data.Length; block++)
            channel.Cache[io.OffsetBlocks + (ulong)block] = data.AsSpan(block * 512, 512).ToArray();
        return BdevIoResult.Of(BdevIoStatus.Success);
    }

    private byte[] Gather(ReadOnlySpan<IoVec> vectors)
    {
        int total = 0, at = 0, taken = 0;
        foreach (var vector in vectors) total += (int)vector.Length;
        byte[] data = new byte[total];
        foreach (var vector in vectors)
        {
            if (Stops(vector, taken++)) break;
            vector.Span.CopyTo(data.AsSpan(at));
            at += (int)vector.Length;
        }
        return data;
    }

    private bool Stops(in IoVec vector, int taken) => (_defect == Defect.TakesTheFirstVectorOnly && taken > 0) || (_defect == Defect.Takes16VectorsOnly && taken >= 16)
        || (_defect == Defect.StopsAtAnEmptyVector && vector.Length == 0);

    private bool Equal(BdevIo io, ReadOnlySpan<IoVec> vectors) => Gather(vectors).AsSpan().SequenceEqual(_data.AsSpan((int)io.OffsetBlocks * 512, (int)io.LengthBytes));

    private void Change(ulong offset, byte[] data)
    {
        for (int block = 0; WriteCache && block * 512 < data.Length; block++)
            _unflushed.TryAdd(offset + (ulong)block, _data.AsSpan((int)(offset + (ulong)block) * 512, 512).ToArray());
        data.AsSpan(0, Math.Min(data.Length, (int)(BlockCount - offset) * 512)).CopyTo(_data.AsSpan((int)offset * 512));
    }

    private void Forget(Channel channel)
    {
        lock (_lock)
            foreach (ulong block in channel.Written) _data.AsSpan((int)block * 512, 512).Clear();
    }

    private sealed class Channel(IIobufChannel? buffers) : IoChannel
    {
        public Dictionary<ulong, byte[]> Cache { get; } = [];
        public HashSet<ulong> Written { get; } = [];

        public bool TakesBuffer()
        {
            if (buffers is null) return true;
            // More than the channel's own small cache has.
            var taken = new List<IoVec>();
            while (taken.Count < 8 && buffers.TryGet(512, out var buffer)) taken.Add(buffer);
            taken.ForEach(buffer => buffers.Put(buffer));
            return taken.Count == 8;
        }

        protected override void Destroy()
        {
            buffers?.Dispose();
            if (Written.Count > 0) ((BrokenDisk)Device).Forget(this);
        }
    }
}
