using Spindle.Host.Reactors;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.NvmfTests.Tcp.Bench;

/// <summary>A ring over <see cref="MemorySocket"/>s that completes what is ready when polled, one operation at a time, in the order queued.</summary>
internal sealed class TestRing : IIoRing
{
    private const int MaxVectors = 1100;

    private sealed class Slot
    {
        public RingOperation? Operation;
        public MemorySocket Socket = null!;
        public bool IsReceive;
        public bool Cancelled;
        public readonly IoVec[] Vectors = new IoVec[MaxVectors];
        public int Count;
    }

    private readonly List<Slot> _pending = [];
    private readonly Stack<Slot> _free = new();

    public string Kind => "test";

    public int Receive(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation) => Queue(socket, buffers, operation, true);

    public int Send(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation) => Queue(socket, buffers, operation, false);

    public void Cancel(RingOperation operation)
    {
        foreach (Slot slot in _pending)
        {
            if (slot.Operation == operation) slot.Cancelled = true;
        }
    }

    /// <summary>Completes what is ready.</summary>
    public bool Poll()
    {
        bool any = false;
        for (int i = 0; i < _pending.Count; i++)
        {
            Slot slot = _pending[i];
            MemorySocket socket = slot.Socket;
            if (!slot.Cancelled && !(slot.IsReceive ? socket.CanReceive : socket.CanSend)) continue;
            any = true;
            int result = slot.Cancelled ? -Errno.ECANCELED
                : slot.IsReceive ? socket.Receive(slot.Vectors.AsSpan(0, slot.Count)) : socket.Send(slot.Vectors.AsSpan(0, slot.Count));
            RingOperation operation = slot.Operation!;
            slot.Operation = null;
            _pending.RemoveAt(i--);
            _free.Push(slot);
            RingDispatch.Complete(operation, result);
        }
        return any;
    }

    public int PendingCount => _pending.Count;

    public int Read(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation) => throw new NotSupportedException();
    public int Write(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation) => throw new NotSupportedException();
    public int Flush(RingFile file, RingOperation operation) => throw new NotSupportedException();
    public int Deallocate(RingFile file, long offset, long length, RingOperation operation) => throw new NotSupportedException();
    public int WriteZeroes(RingFile file, long offset, long length, RingOperation operation) => throw new NotSupportedException();
    public int Accept(RingListener listener, AcceptOperation operation) => throw new NotSupportedException();
    public int Timeout(TimeSpan delay, RingOperation operation) => throw new NotSupportedException();
    public int Wait(RingEvent ringEvent, RingOperation operation) => throw new NotSupportedException();

    private int Queue(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation, bool isReceive)
    {
        if (operation.IsPending) Assert.Fail("queued while pending");
        if (buffers.Length is < 1 or > 1024) Assert.Fail($"{buffers.Length} vectors");
        Slot slot = _free.Count > 0 ? _free.Pop() : new Slot();
        slot.Operation = operation;
        slot.Socket = (MemorySocket)socket;
        slot.IsReceive = isReceive;
        slot.Cancelled = false;
        slot.Count = buffers.Length;
        buffers.CopyTo(slot.Vectors);
        if (slot.Socket.IsDisposed) Assert.Fail("used after it was closed");
        RingDispatch.Begin(operation);
        _pending.Add(slot);
        return 0;
    }
}
