using Spindle.Rpc;

namespace Spindle.Host.Rpc.Server;

/// <summary>The replies of a batch, gathered into one array in the order the calls end.</summary>
internal sealed class RpcBatch(int maxReplyBytes)
{
    readonly Lock _lock = new();
    readonly RpcReplyBuffer _reply = new(maxReplyBytes);
    readonly TaskCompletionSource<RpcReplyBuffer?> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    int _running = 1; // one for the hand that fills the batch

    /// <summary>Requests in it.</summary>
    public int Count { get; private set; }

    /// <summary>A call starts.</summary>
    public void Add()
    {
        lock (_lock)
        {
            Count++;
            _running++;
        }
    }

    /// <summary>True when code of a call may still read the batch's memory.</summary>
    public bool HasAbandoned { get; private set; }

    /// <summary>A call has ended.</summary>
    public void End(RpcReplyBuffer? reply, bool isAbandoned)
    {
        lock (_lock)
        {
            HasAbandoned |= isAbandoned;
            if (reply is not null)
            {
                Append(reply);
                reply.Release();
            }
        }
        Finish();
    }

    /// <summary>All calls have been added.</summary>
    /// <returns>The reply without its line feed; null when every call was a notification.</returns>
    public Task<RpcReplyBuffer?> WhenEnded()
    {
        Finish();
        return _ended.Task;
    }

    void Append(RpcReplyBuffer reply)
    {
        if (_reply.Length + (long)reply.Length > maxReplyBytes)
        {
            reply.Truncate(0);
            RpcReplies.Error(reply, default, new RpcError(RpcErrorCode.InternalError,
                $"Internal error: the replies of the batch are larger than {maxReplyBytes} bytes; send smaller batches"));
        }
        _reply.Write(_reply.Length == 0 ? "["u8 : ","u8);
        _reply.Write(reply.Written.Span);
    }

    void Finish()
    {
        lock (_lock)
        {
            if (--_running > 0)
            {
                return;
            }
            if (_reply.Length > 0)
            {
                _reply.Write("]"u8);
            }
        }
        _ended.TrySetResult(_reply.Length > 0 ? _reply : null);
    }
}
