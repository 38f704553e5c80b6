using System.Diagnostics;
using System.Runtime.InteropServices;
using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Tool.Bdevperf;

/// <summary>One outstanding I/O of a worker, over and over. It is the I/O's state, and waits when the bdev has no I/O object left.</summary>
internal sealed class PerfSlot(PerfWorker worker, int index, IoVec buffer) : BdevIoWait
{
    private readonly IoVec _buffer = buffer;
    private ulong _offset;
    private ulong _pattern;
    private long _started;
    private bool _isRead;
    private bool _readBack;

    /// <summary>Submits a new I/O.</summary>
    [DataPath]
    internal void Begin(long now)
    {
        _started = now;
        _offset = worker.NextOffset(index);
        _readBack = false;
        if (worker.Work.Verify)
        {
            _isRead = false;
            _pattern = worker.Random();
            Fill();
        }
        else
        {
            _isRead = worker.NextIsRead();
        }
        Submit();
    }

    [DataPath]
    private void Submit()
    {
        uint blocks = worker.Work.IoBlocks;
        var vectors = new ReadOnlySpan<IoVec>(in _buffer);
        int error = _isRead ? worker.Channel.Read(vectors, _offset, blocks, worker.Completed, this)
            : worker.Channel.Write(vectors, _offset, blocks, worker.Completed, this);
        if (error == 0 || (error == -Errno.ENOMEM && worker.Channel.QueueIoWait(this) == 0)) return;
        FailRefused(error);
    }

    private void FailRefused(int error) =>
        worker.Fail($"{(_isRead ? "read" : "write")} at block {_offset} was refused: {Errno.Message(error)}", Stopwatch.GetTimestamp());

    /// <inheritdoc/>
    [DataPath]
    protected override void OnAvailable() => Submit();

    [DataPath]
    internal static void OnCompleted(object? state, in BdevIoResult result) => ((PerfSlot)state!).Done(in result);

    [DataPath]
    private void Done(in BdevIoResult result)
    {
        if (!result.IsSuccess)
        {
            Failed(result);
            return;
        }
        if (worker.Work.Verify)
        {
            if (!_readBack)
            {
                _readBack = _isRead = true;
                _buffer.Span.Clear();
                Submit();
                return;
            }
            if (!IsIntact())
            {
                Failed(BdevIoResult.Of(BdevIoStatus.Miscompare));
                return;
            }
        }
        long now = worker.Now;
        if (worker.OnIoDone(_started, now)) Begin(now);
    }

    // Ends the run; not part of its steady state.
    private void Failed(BdevIoResult result)
    {
        string reason = result.ErrorNumber != 0 ? Errno.Message(result.ErrorNumber) : result.Status.ToString();
        worker.Fail($"{(_isRead ? "read" : "write")} at block {_offset} failed: {reason}", Stopwatch.GetTimestamp());
    }

    [DataPath]
    private void Fill()
    {
        var words = MemoryMarshal.Cast<byte, ulong>(_buffer.Span);
        ulong value = _pattern;
        for (int i = 0; i < words.Length; i++) words[i] = value += 0x9E3779B97F4A7C15;
    }

    [DataPath]
    private bool IsIntact()
    {
        var words = MemoryMarshal.Cast<byte, ulong>(_buffer.Span);
        ulong value = _pattern;
        for (int i = 0; i < words.Length; i++)
            if (words[i] != (value += 0x9E3779B97F4A7C15)) return false;
        return true;
    }
}
