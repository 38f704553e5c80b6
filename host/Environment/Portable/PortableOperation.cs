using System.Buffers;
using Microsoft.Win32.SafeHandles;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.Host.Environments.Portable;

/// <summary>What an operation does.</summary>
internal enum PortableKind : byte
{
    Read,
    Write,
    Flush,
    Unsupported,
    Receive,
    Send,
    Accept,
    Timeout,
    Wait,
}

/// <summary>A pending operation. The ring starts it, any thread finishes it, the ring's thread completes it.</summary>
internal sealed class PortableOperation(PortableRing ring, int index) : TimerNode, IThreadPoolWorkItem
{
    internal readonly int Index = index;
    internal PortableKind Kind;
    internal RingOperation? Operation;
    internal object? Target;
    internal IoVec[] Buffers = [];
    internal long Offset;
    internal int Result;
    internal PortableOperation? Next;
    internal CancellationTokenSource Cancellation = new();

    /// <summary>Hands the result to the ring. On any thread, once.</summary>
    internal void Finish(int result)
    {
        Result = result;
        ring.Post(this);
    }

    /// <summary>Does file operations on the thread pool.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        int result;
        try
        {
            var file = (PortableFile)Target!;
            result = Cancellation.IsCancellationRequested ? -Errno.ECANCELED : Kind switch
            {
                PortableKind.Read => Read(file.Handle),
                PortableKind.Write => file.IsReadOnly ? -Errno.EBADF : Write(file.Handle),
                PortableKind.Flush => Flush(file),
                _ => -Errno.ENOTSUP,
            };
        }
        catch (Exception exception)
        {
            result = -PortableErrors.Of(exception);
        }
        Finish(result);
    }

#pragma warning disable SPDL018 // It catches all there is, and its end is the operation's completion.
    /// <summary>Starts a socket operation; it may finish at once.</summary>
    internal async void StartSocket()
#pragma warning restore SPDL018
    {
        int result;
        try
        {
            // ConfigureAwait(false): a reactor's synchronization context is for control-plane code, and Finish works on any thread.
            switch (Kind)
            {
                case PortableKind.Receive:
                    using (var memory = new NativeMemoryManager(FirstBuffer()))
                        result = await ((PortableSocket)Target!).Socket.ReceiveAsync(memory.Memory, Cancellation.Token).ConfigureAwait(false);
                    break;
                case PortableKind.Send:
                    result = await SendAsync((PortableSocket)Target!).ConfigureAwait(false);
                    break;
                default:
                    var socket = await ((PortableListener)Target!).Socket.AcceptAsync(Cancellation.Token).ConfigureAwait(false);
                    ((AcceptOperation)Operation!).Accepted = new PortableSocket(socket);
                    result = 0;
                    break;
            }
        }
        catch (Exception exception)
        {
            result = -PortableErrors.Of(exception);
        }
        Finish(result);
    }

    private IoVec FirstBuffer()
    {
        foreach (var buffer in Buffers)
        {
            if (buffer.Length > 0) return buffer;
        }
        return Buffers[0];
    }

    /// <summary>Sends the first buffer, or small ones together, gathered in a copy: .NET gathers managed arrays only. Fewer bytes than given may go.</summary>
    private async ValueTask<int> SendAsync(PortableSocket socket)
    {
        const int gathered = 65536;
        var first = FirstBuffer();
        if (Buffers.Length == 1 || first.Length >= gathered)
        {
            using var memory = new NativeMemoryManager(first);
            return await socket.Socket.SendAsync(memory.Memory, Cancellation.Token).ConfigureAwait(false);
        }
        var copy = ArrayPool<byte>.Shared.Rent(gathered);
        try
        {
            var length = 0;
            foreach (var buffer in Buffers)
            {
                var part = (int)Math.Min(buffer.Length, (uint)(gathered - length));
                buffer.Span[..part].CopyTo(copy.AsSpan(length));
                length += part;
                if (length == gathered) break;
            }
            return await socket.Socket.SendAsync(copy.AsMemory(0, length), Cancellation.Token).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(copy);
        }
    }

    private int Read(SafeFileHandle handle)
    {
        var total = 0;
        foreach (var buffer in Buffers)
        {
            var filled = 0;
            while (filled < buffer.Length)
            {
                var read = RandomAccess.Read(handle, buffer.Span[filled..], Offset + total);
                if (read == 0) return total;
                filled += read;
                total += read;
            }
        }
        return total;
    }

    private int Write(SafeFileHandle handle)
    {
        var total = 0;
        foreach (var buffer in Buffers)
        {
            RandomAccess.Write(handle, buffer.Span, Offset + total);
            total += (int)buffer.Length;
        }
        return total;
    }

    private static int Flush(PortableFile file)
    {
        if (!file.IsReadOnly) RandomAccess.FlushToDisk(file.Handle);
        return 0;
    }

    /// <summary>Native memory for interfaces that take <see cref="Memory{T}"/>.</summary>
    private sealed unsafe class NativeMemoryManager(IoVec vector) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => vector.Span;

        public override MemoryHandle Pin(int elementIndex = 0) => new(vector.Pointer + elementIndex);

        public override void Unpin() { }

        protected override void Dispose(bool disposing) { }
    }
}
