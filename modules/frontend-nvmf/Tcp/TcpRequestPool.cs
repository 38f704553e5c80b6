namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>A connection's slots. They are made when the host's queue depth first needs them, so that a connection that never has many commands
/// outstanding stays small; the slot that was freed last is used next, it is in the cache.</summary>
internal sealed class TcpRequestPool(TcpConnection connection)
{
    private TcpRequest[] _requests = [];
    private TcpRequest? _free;
    private int _maxBuffers;
    private int _maxTransfers = 1;

    /// <summary>Slots that there are.</summary>
    public int Count { get; private set; }

    /// <summary>Slots in use.</summary>
    public int InUse { get; private set; }

    /// <summary>Slots that there may be.</summary>
    public int Limit { get; private set; }

    /// <summary>R2Ts that a slot may have outstanding; the transfer tag of one is slot times this, plus the R2T's number.</summary>
    public int TransfersPerRequest => _maxTransfers;

    /// <summary>Sets what new slots are like. Before the first one.</summary>
    public void Configure(int limit, int maxBuffers, int maxTransfers)
    {
        Limit = limit;
        _maxBuffers = maxBuffers;
        _maxTransfers = maxTransfers;
    }

    /// <summary>Allows more slots. The transfer tag is 16 bits wide.</summary>
    public void Extend(int limit) => Limit = Math.Max(Limit, Math.Min(limit, 65536 / _maxTransfers));

    /// <summary>A slot; null when all that may be are in use.</summary>
    [DataPath]
    public TcpRequest? TryGet()
    {
        TcpRequest? request = _free;
        if (request is null)
        {
            if (Count >= Limit) return null;
            Grow();
            request = _free!;
        }
        _free = request.NextInQueue;
        request.NextInQueue = null;
        InUse++;
        return request;
    }

    /// <summary>Gives a slot back.</summary>
    [DataPath]
    public void Put(TcpRequest request)
    {
        request.Stage = TcpRequestStage.Free;
        request.NextInQueue = _free;
        _free = request;
        InUse--;
    }

    /// <summary>A slot by its number.</summary>
    public TcpRequest? Find(int index) => (uint)index < (uint)Count ? _requests[index] : null;

    /// <summary>All slots.</summary>
    public ReadOnlySpan<TcpRequest> All => new(_requests, 0, Count);

    /// <summary>Doubles the slots; once for each new depth that a host reaches, not once for each I/O.</summary>
    private void Grow()
    {
        int count = Math.Min(Limit, Math.Max(4, Count * 2));
        if (_requests.Length < count) Array.Resize(ref _requests, count);
        // The slot with the lowest number comes out first.
        for (int i = count - 1; i >= Count; i--)
        {
            var request = new TcpRequest(connection, i, _maxBuffers, _maxTransfers) { NextInQueue = _free };
            _free = request;
            _requests[i] = request;
        }
        Count = count;
    }
}
