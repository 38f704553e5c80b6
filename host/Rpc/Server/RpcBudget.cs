namespace Spindle.Host.Rpc.Server;

/// <summary>Counts the calls and bytes of all connections against the limits. A connection waits when it is at its own limit, or when all
/// together are at theirs and it has more than a small share: so those who take much wait first, and nobody is starved by others.</summary>
internal sealed class RpcBudget(RpcServerOptions options)
{
    const int FreeCalls = 16;
    const long FreeBytes = 64 << 10;

    /// <summary>What a reply is taken to be before there was one.</summary>
    const long UnknownReply = 16 << 10;

    int _calls;
    long _bytes;
    int _waiting;
    volatile TaskCompletionSource _released = NewSource();

    /// <summary>One connection's share.</summary>
    internal sealed class Share
    {
        public int Calls;
        public long Bytes;

        /// <summary>What replies of this connection have been like, in bytes; the latest count most.</summary>
        public long TypicalReply;
    }

    /// <summary>Calls running in all.</summary>
    public int Calls => Volatile.Read(ref _calls);

    /// <summary>Bytes held in all.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Returns when the connection may read and run more.</summary>
    public ValueTask WaitAsync(Share share, CancellationToken cancellationToken) => WaitAsync(share, countBytes: true, cancellationToken);

    /// <summary>Returns when the connection may run one more call of a batch, whose replies are held, and limited, as one.</summary>
    public ValueTask WaitForCallAsync(Share share, CancellationToken cancellationToken) => WaitAsync(share, countBytes: false, cancellationToken);

    async ValueTask WaitAsync(Share share, bool countBytes, CancellationToken cancellationToken)
    {
        while (!HasRoom(share, countBytes))
        {
            Interlocked.Increment(ref _waiting);
            try
            {
                var released = _released.Task;
                if (!HasRoom(share, countBytes)) // look again: a release before the increment has told nobody
                {
                    await released.WaitAsync(cancellationToken).ConfigureAwait(false);
                }
            }
            finally
            {
                Interlocked.Decrement(ref _waiting);
            }
        }
    }

    bool HasRoom(Share share, bool countBytes)
    {
        var (calls, bytes) = (Volatile.Read(ref share.Calls), Volatile.Read(ref share.Bytes));
        var reply = Volatile.Read(ref share.TypicalReply);
        if (reply == 0)
        {
            bytes += calls * UnknownReply; // no call has ended yet: a client may send many before the first one does
        }
        else if (bytes > FreeBytes)
        {
            bytes += calls * reply; // the client is slow: what its running calls will answer counts already
        }
        return calls < options.MaxCallsPerConnection && (calls < FreeCalls || Volatile.Read(ref _calls) < options.MaxCalls)
            && (!countBytes || (bytes < options.MaxBytesPerConnection && (bytes < FreeBytes || Volatile.Read(ref _bytes) < options.MaxBytes)));
    }

    /// <summary>A call starts.</summary>
    public void BeginCall(Share share)
    {
        Interlocked.Increment(ref share.Calls);
        Interlocked.Increment(ref _calls);
    }

    /// <summary>A call has ended.</summary>
    public void EndCall(Share share)
    {
        Interlocked.Decrement(ref share.Calls);
        Interlocked.Decrement(ref _calls);
        Release();
    }

    /// <summary>Memory is taken, or given back when negative.</summary>
    public void AddBytes(Share share, long count)
    {
        Interlocked.Add(ref share.Bytes, count);
        Interlocked.Add(ref _bytes, count);
        if (count < 0)
        {
            Release();
        }
    }

    /// <summary>A reply is ready to be sent.</summary>
    public void AddReply(Share share, int bytes)
    {
        var typical = Volatile.Read(ref share.TypicalReply);
        Volatile.Write(ref share.TypicalReply, typical + ((bytes - typical) / 4));
        AddBytes(share, bytes);
    }

    void Release()
    {
        if (Volatile.Read(ref _waiting) > 0)
        {
            Interlocked.Exchange(ref _released, NewSource()).TrySetResult();
        }
    }

    static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
