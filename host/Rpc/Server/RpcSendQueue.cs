using System.Net.Sockets;

namespace Spindle.Host.Rpc.Server;

/// <summary>Replies on their way to one client, sent in the order they were added, on the thread pool: a client that takes none holds up nobody else.</summary>
internal sealed class RpcSendQueue(Socket socket, RpcBudget budget, RpcBudget.Share share)
{
    const int CoalesceBytes = 32 << 10;

    readonly Lock _lock = new();
    readonly Queue<RpcReplyBuffer> _queue = new();
    bool _sending;
    bool _broken;
    TaskCompletionSource? _drained;

    /// <summary>Adds a reply and takes its memory over. On any thread; does no I/O itself.</summary>
    public void Add(RpcReplyBuffer reply)
    {
        lock (_lock)
        {
            if (!_broken)
            {
                budget.AddReply(share, reply.Length);
                _queue.Enqueue(reply);
                if (!_sending)
                {
                    _sending = true;
                    ThreadPool.UnsafeQueueUserWorkItem(static queue => _ = queue.SendAllAsync(), this, preferLocal: false);
                }
                return;
            }
        }
        reply.Release();
    }

    /// <summary>Returns when all that was added is sent, or cannot be.</summary>
    public Task DrainAsync()
    {
        lock (_lock)
        {
            return _sending ? (_drained ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task : Task.CompletedTask;
        }
    }

    async Task SendAllAsync()
    {
        var batch = new List<RpcReplyBuffer>();
        while (TakeBatch(batch))
        {
            var bytes = batch.Sum(b => (long)b.Length);
            try
            {
                await SendAsync(batch).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                Break(); // the client is gone; its replies are of no use to anyone
            }
            foreach (var reply in batch)
            {
                reply.Release();
            }
            batch.Clear();
            budget.AddBytes(share, -bytes);
        }
    }

    bool TakeBatch(List<RpcReplyBuffer> batch)
    {
        lock (_lock)
        {
            var bytes = 0;
            while (_queue.Count > 0 && (bytes == 0 || bytes + _queue.Peek().Length <= CoalesceBytes))
            {
                var reply = _queue.Dequeue();
                bytes += reply.Length;
                batch.Add(reply);
            }
            if (batch.Count == 0)
            {
                _sending = false;
                _drained?.TrySetResult();
                _drained = null;
            }
            return batch.Count > 0;
        }
    }

    async ValueTask SendAsync(List<RpcReplyBuffer> batch)
    {
        var first = batch[0];
        for (var i = 1; i < batch.Count; i++)
        {
            first.Write(batch[i].Written.Span);
        }
        var rest = first.Written;
        while (!rest.IsEmpty)
        {
            rest = rest[await socket.SendAsync(rest, SocketFlags.None).ConfigureAwait(false)..];
        }
    }

    void Break()
    {
        lock (_lock)
        {
            _broken = true;
            while (_queue.TryDequeue(out var reply))
            {
                budget.AddBytes(share, -reply.Length);
                reply.Release();
            }
        }
    }
}
