using Spindle.Bdev.Nvme.Controllers;
using Spindle.Bdevs;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Initiator.Queues;
using Spindle.Threading;

namespace Spindle.Bdev.Nvme.Bdevs;

/// <summary>One I/O: made with the pooled I/O and used again with it. It takes a path, becomes a command (two for compare-and-write), and by what became of
/// that it ends or is tried again.</summary>
internal sealed partial class NvmeIo(NvmeBdev bdev, BdevIo io)
{
    private const int PathRetryMilliseconds = 10, DeviceRetryMilliseconds = 100;

    private readonly NvmeBdev _bdev = bdev;
    private readonly BdevIo _io = io;
    private NvmeBdevChannel _channel = null!;
    private IoPath _path = null!;
    private uint _generation;
    private BdevIoType _type;
    private int _retries;
    private bool _isWaiting, _abortRequested;
    private NvmeCommand? _command;
    private int _pending;                 // commands out
    private CompletionQueueEntry _first;  // of compare-and-write: how the compare ended
    private CompletionQueueEntry _last;

    /// <summary>Not to be tried before this time of the thread; 0: at once.</summary>
    internal long NotBefore { get; set; }
    internal NvmeIo? NextWaiting { get; set; }
    internal NvmeIo? PreviousWaiting { get; set; }

    [DataPath]
    internal void Start(NvmeBdevChannel channel)
    {
        _channel = channel;
        _generation = _io.Generation;
        _type = _io.Type;
        _retries = 0;
        _abortRequested = false;
        NotBefore = 0;
        switch (_type)
        {
            case BdevIoType.Reset:
                StartReset();
                break;
            case BdevIoType.Abort:
                StartAbort();
                break;
            case BdevIoType.Flush when !_bdev.SendsFlush:
                _io.Complete(_generation, BdevIoStatus.Success);
                break;
            default:
                if (channel.HasWaiting || !TrySubmit()) WaitInLine();
                break;
        }
    }

    [DataPath]
    private void WaitInLine()
    {
        _isWaiting = true;
        _channel.Wait(this);
    }

    /// <summary>Submits it by a path, or ends it when there is none to wait for.</summary>
    /// <returns>False when it has to wait.</returns>
    [DataPath]
    internal bool TrySubmit()
    {
        _isWaiting = true;
        if (_channel.Select() is not { } path)
        {
            if (_channel.MayReturn()) return false;
            End(BdevIoResult.FromErrno(Errno.ENXIO));
            return true;
        }
        var queue = path.Channel.Queue!;
        if (queue.FreeCount < (_type == BdevIoType.CompareAndWrite ? 2 : 1))
        {
            path.Channel.HasWaiters = true;
            return false;
        }
        _isWaiting = false;
        _path = path;
        if (_type == BdevIoType.CompareAndWrite) SubmitFused(queue);
        else SubmitOne(queue);
        return true;
    }

    private static readonly NvmeCompletion s_completed = static (object? state, in CompletionQueueEntry completion) => ((NvmeIo)state!).OnCompleted(completion);
    private static readonly NvmeCompletion s_compared = static (object? state, in CompletionQueueEntry completion) => ((NvmeIo)state!).OnCompared(completion);

    [DataPath]
    private void OnCompared(in CompletionQueueEntry completion)
    {
        _first = completion;
        if (--_pending == 0) Completed(Fused());
    }

    [DataPath]
    private void OnCompleted(in CompletionQueueEntry completion)
    {
        _command = null;
        _last = completion;
        if (--_pending == 0) Completed(_type == BdevIoType.CompareAndWrite ? Fused() : _last);
    }

    /// <summary>Of the two of a compare-and-write the one that says why: the compare, unless it was only aborted because of the write.</summary>
    [DataPath]
    private CompletionQueueEntry Fused() =>
        !_first.Status.IsSuccess && !_first.Status.Is(GenericStatusCode.CommandAbortedDueToFailedFusedCommand) || _last.Status.IsSuccess ? _first : _last;

    [DataPath]
    private void Completed(in CompletionQueueEntry completion)
    {
        var path = _path;
        var status = completion.Status;
        if (status.IsSuccess)
        {
            _io.Complete(_generation, BdevIoStatus.Success);
        }
        else if (!_abortRequested && IsWorthRetrying(path, status))
        {
            WaitInLine();
        }
        else
        {
            End(NvmeStatusMap.Result(completion));
        }
        if (_channel.HasWaiting) _channel.SubmitWaiting(path.Channel);
        if (path.Channel.HasWaiters) path.Channel.WakeWaiters();
    }

    /// <summary>What another path, or a little later, may cure. What the controller refused, or found on its media, is told as it is.</summary>
    [DataPath]
    private bool IsWorthRetrying(IoPath path, StatusField status)
    {
        if (NvmeStatusMap.IsLost(status))
        {
            // Its queue ended: whatever path there is now, or will be.
            NotBefore = 0;
            return true;
        }
        if (status.DoNotRetry) return false;
        if (NvmeStatusMap.IsAnaRefusal(status) && path.Namespace.Controller.Session is { HasAna: true })
        {
            path.Namespace.AnaIsStale = true;
            path.Namespace.Controller.OnAnaRefused();
            NotBefore = _channel.After(PathRetryMilliseconds);
            return true;
        }
        if (!NvmeStatusMap.IsTransient(status) || _bdev.Options.BdevRetryCount >= 0 && _retries >= _bdev.Options.BdevRetryCount) return false;
        _retries++;
        NotBefore = _channel.After(DeviceRetryMilliseconds);
        return true;
    }

    [DataPath]
    private void End(in BdevIoResult result)
    {
        _isWaiting = false;
        _io.Complete(_generation, in result);
    }
}
