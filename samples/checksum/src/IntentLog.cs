using Spindle;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Acme.Checksum;

/// <summary>The block on the base that says which regions are being written to. A region is marked there, durably, before the first write to it, and its mark may go
/// when a commit has brought its checksums to the base. After a power cut the marked regions' checksums are made anew from the data.</summary>
internal sealed class IntentLog : BdevIoWait
{
    private enum Step { Idle, Writing, Flushing }

    private static readonly TimeSpan s_period = TimeSpan.FromSeconds(1);
    private static readonly PollerFunction s_poll = static state => ((IntentLog)state!).Poll();

    private static readonly BdevIoCallback s_completed = static (object? state, in BdevIoResult result) => ((IntentLog)state!).OnCompleted(in result);

    private readonly ChecksumEngine _engine;
    private readonly IoVec _block;
    private readonly bool _flushes;
    private readonly BitSet _touched, _committing, _durable, _image;
    private Step _step;
    private bool _again;
    private TaskCompletionSource<int>? _awaiting, _served;
    private IPoller? _poller;

    /// <param name="engine">Whose it is.</param>
    /// <param name="block">A block of memory.</param>
    /// <param name="unclean">What is marked on the base.</param>
    /// <param name="flushes">The base has a write cache to be flushed.</param>
    public IntentLog(ChecksumEngine engine, IoVec block, BitSet unclean, bool flushes)
    {
        (_engine, _block, _flushes) = (engine, block, flushes);
        (_touched, _committing, _durable, _image) = (new(unclean.Count), new(unclean.Count), new(unclean.Count), new(unclean.Count));
        unclean.CopyTo(_touched);
        unclean.CopyTo(_durable);
    }

    /// <summary>Starts to look for marks that are needed no more. Not at once, since a region that was written to is likely to be written to again.</summary>
    public void StartPolling() => _poller = _engine.Thread.RegisterPoller("acme_checksum_marks", s_poll, this, s_period);

    public void StopPolling() => _poller?.Unregister();

    [DataPath]
    private PollResult Poll()
    {
        if (_step != Step.Idle || _durable.IsWithin(_touched, _committing)) return PollResult.Idle;
        Request();
        return PollResult.Busy;
    }

    /// <summary>The regions' checksums on the base are old, or will be, from now until a commit that begins when the write has ended.</summary>
    [DataPath]
    public void Touch(ChecksumIo io)
    {
        for (int region = _engine.Layout.RegionOf(io.First); region <= _engine.Layout.RegionOf(io.End - 1); region++) _touched.Add(region);
    }

    /// <summary>Whether the write's regions are marked on the base.</summary>
    [DataPath]
    public bool Covers(ChecksumIo io)
    {
        for (int region = _engine.Layout.RegionOf(io.First); region <= _engine.Layout.RegionOf(io.End - 1); region++) if (!_durable.Has(region)) return false;
        return true;
    }

    [DataPath]
    public void BeginCommit()
    {
        _committing.Union(_touched);
        _touched.Clear();
        _engine.TouchActive();
    }

    [DataPath]
    public void EndCommit(bool succeeded)
    {
        if (!succeeded) _touched.Union(_committing);
        _committing.Clear();
    }

    /// <summary>Brings the base's marks up to what they must be.</summary>
    [DataPath]
    public void Request()
    {
        _again = true;
        if (_step == Step.Idle) Begin();
    }

    /// <summary>As <see cref="Request"/>, for the control plane.</summary>
    public Task<int> RequestAsync()
    {
        _awaiting = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        Request();
        return _awaiting is { } waiting ? waiting.Task : _served!.Task;
    }

    [DataPath]
    private void Begin()
    {
        (_again, _served, _awaiting) = (false, _awaiting, null);
        _touched.CopyTo(_image);
        _image.Union(_committing);
        // A mark that goes is gone as soon as the write may have reached the base.
        _durable.Intersect(_image);
        _block.Span.Clear();
        _image.Write(_block.Span);
        Layout.Seal(_block.Span);
        _step = Step.Writing;
        Submit();
    }

    [DataPath]
    private void Submit()
    {
        int error = _step == Step.Writing ? _engine.Base.Write(new ReadOnlySpan<IoVec>(in _block), Layout.IntentBlock, 1, s_completed, this) : _engine.Base.Flush(Layout.IntentBlock, 1, s_completed, this);
        if (error == 0 || (error == -Errno.ENOMEM && _engine.Base.QueueIoWait(this) == 0)) return;
        End(error);
    }

    [DataPath]
    protected override void OnAvailable() => Submit();

    [DataPath]
    private void OnCompleted(in BdevIoResult result)
    {
        if (!result.IsSuccess) End(-Errno.EIO);
        else if (_step == Step.Writing && _flushes)
        {
            _step = Step.Flushing;
            Submit();
        }
        else
        {
            _image.CopyTo(_durable);
            End(0);
        }
    }

    [DataPath]
    private void End(int error)
    {
        _step = Step.Idle;
        _served?.SetResult(error);
        _served = null;
        _engine.OnIntent(error);
        if (_again && _step == Step.Idle) Begin();
    }
}
