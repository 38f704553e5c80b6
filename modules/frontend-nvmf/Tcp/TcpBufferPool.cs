using Spindle.Frontend.Nvmf.Transport;
using Spindle.Memory;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>Where a poll group's commands get data buffers: the host's iobuf, with a queue for each of its sizes, and a reserve for in-capsule data.
/// On the group's thread only.</summary>
/// <remarks><para>Only the head of a queue holds buffers while it waits for more; else two commands of one group could each hold what the other waits for.</para>
/// <para>In-capsule data must be taken out of the byte stream before anything behind it is seen, and behind it may be the data of the very commands
/// that hold all buffers. So it never waits for the pools: when they are dry it gets a buffer of the reserve. The commands that use the reserve have all
/// they need, so its buffers do come back; a connection that finds even it empty is parsed on when one does.</para></remarks>
internal sealed unsafe class TcpBufferPool : IDisposable
{
    private readonly IIobufChannel _channel;
    private readonly Queue _small;
    private readonly Queue _large;
    private readonly uint _smallSize;
    private readonly uint _largeSize;
    private readonly uint _unit;
    private readonly uint _reserveSize;
    private readonly DmaBuffer _reserveMemory;
    private readonly IoVec[] _reserve;
    private readonly TcpStatistics _statistics;
    private int _reserveCount;

    public TcpBufferPool(IIobuf iobuf, IDmaMemory memory, NvmfTransportOptions options, int groups, TcpStatistics statistics)
    {
        _statistics = statistics;
        _smallSize = iobuf.SmallBufferSize;
        _largeSize = iobuf.LargeBufferSize;
        _unit = UnitSize(options, _largeSize);
        uint share = options.BufferCacheSize != uint.MaxValue ? options.BufferCacheSize : options.SharedBuffers * 3 / 4 / (uint)Math.Max(1, groups);
        _channel = iobuf.CreateChannel("nvmf_TCP", (int)Math.Min(share, 128), (int)Math.Min(share, 16));
        _small = new Queue(this, TcpBufferSource.Small);
        _large = new Queue(this, TcpBufferSource.Large);
        _reserveSize = (Math.Max(options.InCapsuleDataSize, TcpSettings.AdminInCapsuleData) + 4095) / 4096 * 4096;
        _reserve = new IoVec[options.ControlMessages];
        _reserveMemory = memory.Allocate((nuint)_reserveSize * (nuint)_reserve.Length);
        for (int i = _reserve.Length - 1; i >= 0; i--) _reserve[_reserveCount++] = _reserveMemory.Slice((nuint)i * _reserveSize, _reserveSize);
    }

    /// <summary>Bytes of a transfer that one buffer takes, where it takes more than one.</summary>
    public static uint UnitSize(NvmfTransportOptions options, uint largeBufferSize) => Math.Min(options.IoUnitSize, largeBufferSize / 4096 * 4096);

    /// <summary>Buffers that the largest transfer takes.</summary>
    public static int MaxBuffers(NvmfTransportOptions options, uint largeBufferSize)
    {
        uint unit = UnitSize(options, largeBufferSize);
        uint largest = Math.Max(options.MaxIoSize, TcpSettings.AdminInCapsuleData);
        return (int)((largest + unit - 1) / unit);
    }

    /// <summary>Called when a reserve buffer came back.</summary>
    public Action? ReserveReturned { get; set; }

    /// <summary>Buffers taken and not given back, for tests.</summary>
    public int Taken { get; private set; }

    /// <summary>Takes buffers for <see cref="NvmfRequest.Length"/> bytes.</summary>
    /// <returns>False: it waits, and <see cref="TcpRequest.OnBuffers"/> is called when it has them.</returns>
    [DataPath]
    public bool TryGet(TcpRequest request)
    {
        uint length = request.Length;
        Queue queue = length <= _smallSize || _unit <= _smallSize ? _small : _large;
        request.BufferedLength = 0;
        request.BufferSource = queue.Source;
        if (queue.IsEmpty && Fill(request)) return true;
        _statistics.BufferWaits++;
        request.Stage = TcpRequestStage.WaitingForBuffers;
        queue.Add(request);
        return false;
    }

    /// <summary>Takes a buffer for in-capsule data, whatever else waits.</summary>
    /// <returns>False: even the reserve is empty.</returns>
    [DataPath]
    public bool TryGetInCapsule(TcpRequest request)
    {
        uint length = request.Length;
        request.BufferedLength = length;
        Queue queue = length <= _smallSize ? _small : _large;
        if (queue.IsEmpty && length <= _largeSize && _channel.TryGet(length, out IoVec buffer))
        {
            request.BufferSource = queue.Source;
        }
        else
        {
            if (_reserveCount == 0) return false;
            request.BufferSource = TcpBufferSource.Reserve;
            buffer = _reserve[--_reserveCount];
        }
        request.AddBuffer(buffer.Slice(0, length));
        Taken++;
        return true;
    }

    /// <summary>Gives a request's buffers back.</summary>
    [DataPath]
    public void Release(TcpRequest request)
    {
        TcpBufferSource source = request.BufferSource;
        if (source == TcpBufferSource.None) return;
        request.BufferSource = TcpBufferSource.None;
        if (source == TcpBufferSource.Lent)
        {
            request.ReturnLent();
            return;
        }
        ReadOnlySpan<IoVec> buffers = request.Buffers;
        request.ClearBuffers();
        Taken -= buffers.Length;
        if (source == TcpBufferSource.Reserve)
        {
            IoVec buffer = buffers[0];
            _reserve[_reserveCount++] = new IoVec(buffer.Pointer, _reserveSize, buffer.Region);
            ReserveReturned?.Invoke();
            return;
        }
        uint size = source == TcpBufferSource.Small ? _smallSize : _largeSize;
        // The last one first: the next taker gets the first, as this one did. A put may hand the buffer to a waiter and so run
        // another command; this one's vector is not used for a new command before all are put.
        for (int i = buffers.Length - 1; i >= 0; i--) _channel.Put(new IoVec(buffers[i].Pointer, size, buffers[i].Region));
    }

    /// <summary>Takes a waiting request out, with what it holds given back.</summary>
    public void CancelWait(TcpRequest request)
    {
        (request.BufferSource == TcpBufferSource.Small ? _small : _large).Remove(request);
        Release(request);
    }

    public void Dispose()
    {
        _channel.Dispose();
        _reserveMemory.Dispose();
    }

    [DataPath]
    private bool Fill(TcpRequest request)
    {
        while (request.BufferedLength < request.Length)
        {
            if (!_channel.TryGet(BytesOf(request.BufferSource), out IoVec buffer)) return false;
            Add(request, buffer);
        }
        return true;
    }

    private uint BytesOf(TcpBufferSource source) => source == TcpBufferSource.Small ? _smallSize : _largeSize;

    [DataPath]
    private void Add(TcpRequest request, in IoVec buffer)
    {
        uint left = request.Length - request.BufferedLength;
        // A transfer that fits one buffer takes all it needs of it; one that does not takes units.
        uint take = request.BufferedLength == 0 && left <= buffer.Length ? left : Math.Min(left, Math.Min(_unit, buffer.Length));
        request.AddBuffer(buffer.Slice(0, take));
        request.BufferedLength += take;
        Taken++;
    }

    /// <summary>Those who wait for one size.</summary>
    private sealed class Queue(TcpBufferPool pool, TcpBufferSource source) : IobufWaiter
    {
        private TcpRequest? _head;
        private TcpRequest? _tail;
        private bool _waiting;
        private bool _serving;

        public TcpBufferSource Source => source;

        public bool IsEmpty => _head is null;

        public void Add(TcpRequest request)
        {
            request.PreviousInQueue = _tail;
            request.NextInQueue = null;
            if (_tail is null) _head = request;
            else _tail.NextInQueue = request;
            _tail = request;
            Serve();
        }

        public void Remove(TcpRequest request)
        {
            Unlink(request);
            if (_head is null && _waiting && pool._channel.CancelWait(this)) _waiting = false;
            else Serve();
        }

        protected override void OnBuffer(in IoVec buffer)
        {
            _waiting = false;
            if (_head is { } head) pool.Add(head, buffer);
            else pool._channel.Put(buffer);
            Serve();
        }

        private void Unlink(TcpRequest request)
        {
            if (request.PreviousInQueue is null) _head = request.NextInQueue;
            else request.PreviousInQueue.NextInQueue = request.NextInQueue;
            if (request.NextInQueue is null) _tail = request.PreviousInQueue;
            else request.NextInQueue.PreviousInQueue = request.PreviousInQueue;
            request.NextInQueue = null;
            request.PreviousInQueue = null;
        }

        /// <summary>Lets the head take what there is. What its command does may come back here: the outer call carries on.</summary>
        private void Serve()
        {
            if (_serving) return;
            _serving = true;
            while (!_waiting && _head is { } head)
            {
                if (head.BufferedLength == head.Length)
                {
                    Unlink(head);
                    head.OnBuffers();
                }
                else if (pool._channel.GetOrWait(pool.BytesOf(source), this, out IoVec buffer))
                {
                    pool.Add(head, buffer);
                }
                else
                {
                    _waiting = true;
                }
            }
            _serving = false;
        }
    }
}
