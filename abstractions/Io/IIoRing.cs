using Spindle.Memory;

namespace Spindle.Io;

/// <summary>A reactor's I/O ring: one queue of file, socket, timer and event operations shared by all modules on the reactor, submitted
/// together once per loop. All members are used on a storage thread of that reactor only. Methods return 0 when the operation was queued
/// (it then completes exactly once, never inside the call) or a negated error number, in which case it never completes.</summary>
public interface IIoRing
{
    /// <summary>"io_uring", "epoll" (with libaio for files) or "portable".</summary>
    string Kind { get; }

    /// <summary>Reads from a file at <paramref name="offset"/> bytes. Result: bytes read (0 at the end), or a negated error number.
    /// The vector is copied; the buffers belong to the ring until completion.</summary>
    int Read(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation);

    /// <summary>Writes to a file at <paramref name="offset"/> bytes. Result: bytes written, or a negated error number.</summary>
    int Write(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation);

    /// <summary>Makes all completed writes of the file durable (data and the metadata needed to read it back). Result: 0 or a negated error number.</summary>
    int Flush(RingFile file, RingOperation operation);

    /// <summary>Deallocates a range; it reads as zeroes afterwards. Result: 0, or -ENOTSUP where the file cannot.</summary>
    int Deallocate(RingFile file, long offset, long length, RingOperation operation);

    /// <summary>Makes a range read as zeroes, keeping it allocated where the file can. Result: 0, or -ENOTSUP where the file cannot.</summary>
    int WriteZeroes(RingFile file, long offset, long length, RingOperation operation);

    /// <summary>Receives at least one byte. Result: bytes received, 0 when the peer closed its side, or a negated error number.
    /// One receive at a time per socket.</summary>
    int Receive(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation);

    /// <summary>Sends. Result: bytes sent, which may be fewer than given, or a negated error number. One send at a time per socket.</summary>
    int Send(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation);

    /// <summary>Accepts one connection. Result: 0 with <see cref="AcceptOperation.Accepted"/> set, or a negated error number.</summary>
    int Accept(RingListener listener, AcceptOperation operation);

    /// <summary>Completes with 0 after <paramref name="delay"/>.</summary>
    int Timeout(TimeSpan delay, RingOperation operation);

    /// <summary>Completes with 0 when the event was signalled, consuming the signal.</summary>
    int Wait(RingEvent ringEvent, RingOperation operation);

    /// <summary>Asks for a pending operation to end early. It still completes once: with -ECANCELED, or with its result if it was faster.
    /// Harmless if it is not pending.</summary>
    void Cancel(RingOperation operation);
}

/// <summary>One operation on a ring, made once and used again after it completed. The owner derives from it and keeps its state in it.</summary>
public abstract class RingOperation
{
    internal object? HostState;
    internal int HostSlot = -1;
    internal int HostCrumb;

    /// <summary>True from a successful submission until <see cref="OnCompleted"/> is called.</summary>
    public bool IsPending { get; internal set; }

    /// <summary>The operation ended. Called on the ring's reactor, on the storage thread that submitted it; it may submit again.</summary>
    /// <param name="result">As the method that queued it documents.</param>
    protected internal abstract void OnCompleted(int result);
}

/// <summary>A <see cref="RingOperation"/> for <see cref="IIoRing.Accept"/>.</summary>
public abstract class AcceptOperation : RingOperation
{
    /// <summary>The accepted connection; the receiver of the completion takes it and disposes it.</summary>
    public RingSocket? Accepted { get; set; }
}
