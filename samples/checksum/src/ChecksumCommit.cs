using Spindle;
using Spindle.Bdevs;
using Spindle.Memory;

namespace Acme.Checksum;

/// <summary>Brings the checksums that changed to the base, and has the base make them and the data durable.</summary>
internal sealed class ChecksumCommit : BdevIoWait
{
    public const uint MemorySize = 65536;

    private enum Step { Idle, WritingGroups, Flushing }

    private static readonly BdevIoCallback s_completed = static (object? state, in BdevIoResult result) => ((ChecksumCommit)state!).OnCompleted(in result);

    private readonly ChecksumEngine _engine;
    private readonly IntentLog _intent;
    private readonly IoVec _memory;
    private readonly bool _flushes;
    private readonly BitSet _groups;
    private Step _step;
    private int _first, _count;
    private ChecksumIo? _waiting, _served;
    private TaskCompletionSource<int>? _awaiting, _servedTask;

    /// <param name="engine">Whose it is.</param>
    /// <param name="intent">Told of each commit.</param>
    /// <param name="memory">Room for groups.</param>
    /// <param name="flushes">The base has a write cache to be flushed.</param>
    public ChecksumCommit(ChecksumEngine engine, IntentLog intent, IoVec memory, bool flushes)
    {
        (_engine, _intent, _memory, _flushes) = (engine, intent, memory, flushes);
        _groups = new BitSet(engine.Layout.Groups);
    }

    /// <summary>Finishes the I/O when all that has completed until now is durable. A commit that is under way does not count: it began before.</summary>
    [DataPath]
    public void Request(ChecksumIo io)
    {
        (io.Next, _waiting) = (_waiting, io);
        if (_step == Step.Idle) Begin();
    }

    /// <summary>As <see cref="Request"/>, for the control plane.</summary>
    public Task<int> RequestAsync()
    {
        var done = _awaiting = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_step == Step.Idle) Begin();
        return done.Task;
    }

    [DataPath]
    private void Begin()
    {
        (_served, _waiting) = (_waiting, null);
        (_servedTask, _awaiting) = (_awaiting, null);
        _intent.BeginCommit();
        _engine.Table.Dirty.CopyTo(_groups);
        _engine.Table.Dirty.Clear();
        _step = Step.WritingGroups;
        (_first, _count) = (0, 0);
        NextGroups();
    }

    [DataPath]
    private void NextGroups()
    {
        _first = _groups.Next(_first + _count);
        if (_first < 0)
        {
            _step = Step.Flushing;
            if (_flushes) Submit();
            else End(0);
            return;
        }
        // As they are now: newer than when the commit began does no harm, since their region stays marked then.
        for (_count = 0; _count * _engine.BlockSize + _engine.BlockSize <= MemorySize && _first + _count < _groups.Count && _groups.Has(_first + _count); _count++)
            _engine.Table.WriteGroup(_first + _count, _memory.Slice((uint)_count * _engine.BlockSize, _engine.BlockSize).Span);
        Submit();
    }

    [DataPath]
    private void Submit()
    {
        int error;
        if (_step == Step.Flushing) error = _engine.Base.Flush(0, _engine.Layout.BaseBlocks, s_completed, this);
        else
        {
            var piece = _memory.Slice(0, (uint)_count * _engine.BlockSize);
            error = _engine.Base.Write(new ReadOnlySpan<IoVec>(in piece), Layout.FirstGroupBlock + (ulong)_first, (ulong)_count, s_completed, this);
        }
        if (error == 0 || (error == -Errno.ENOMEM && _engine.Base.QueueIoWait(this) == 0)) return;
        End(error);
    }

    [DataPath]
    protected override void OnAvailable() => Submit();

    [DataPath]
    private void OnCompleted(in BdevIoResult result)
    {
        if (!result.IsSuccess) End(-Errno.EIO);
        else if (_step == Step.WritingGroups) NextGroups();
        else End(0);
    }

    [DataPath]
    private void End(int error)
    {
        _step = Step.Idle;
        if (error != 0) _engine.Table.Dirty.Union(_groups);
        _intent.EndCommit(error == 0);
        for (var io = _served; io is not null;)
        {
            var next = io.Next;
            io.Next = null;
            io.Finish(BdevIoResult.FromErrno(error));
            io = next;
        }
        _served = null;
        _servedTask?.SetResult(error);
        _servedTask = null;
        if (_waiting is not null || _awaiting is not null) Begin();
    }
}
