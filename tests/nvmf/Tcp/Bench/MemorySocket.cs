using System.Net;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.NvmfTests.Tcp.Bench;

/// <summary>The target's end of a connection in memory: the test writes what the host sends, in pieces that arrive one per receive, and
/// reads what the target sent. Allocates nothing while data flows.</summary>
internal sealed class MemorySocket : RingSocket
{
    private byte[] _input = new byte[64 * 1024];
    private int _inputStart;
    private int _inputEnd;
    private readonly Queue<int> _pieces = new(64);
    private byte[] _output = new byte[64 * 1024];
    private int _outputLength;

    /// <summary>Bytes that one receive gives at most where no pieces were set; 0: no limit.</summary>
    public int MaxReceive { get; set; }

    /// <summary>Bytes that one send takes at most; 0: no limit.</summary>
    public int MaxSend { get; set; }

    /// <summary>Chooses the limits of each operation.</summary>
    public Random? Random { get; set; }

    /// <summary>The network takes nothing.</summary>
    public bool SendBlocked { get; set; }

    public bool PeerClosed { get; set; }
    public bool IsShutDown { get; private set; }
    public bool IsDisposed { get; private set; }

    public int Receives { get; private set; }
    public int Sends { get; private set; }

    public override EndPoint LocalEndPoint { get; } = new IPEndPoint(IPAddress.Loopback, 4420);
    public override EndPoint RemoteEndPoint { get; } = new IPEndPoint(IPAddress.Loopback, 50000);

    /// <summary>The host has read the end of the stream, and may still send.</summary>
    public bool IsSendShutDown { get; private set; }

    public override void ShutdownSend()
    {
        Assert.False(SendBlocked, "the end of the stream overtakes a send");
        IsSendShutDown = true;
    }

    public override void Shutdown() => IsShutDown = true;

    public override void Dispose()
    {
        Assert.False(IsDisposed, "closed twice");
        IsDisposed = true;
    }

    /// <summary>The host sends bytes, which arrive as one piece.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (_inputStart == _inputEnd) _inputStart = _inputEnd = 0;
        if (_input.Length - _inputEnd < bytes.Length) Array.Resize(ref _input, Math.Max(_input.Length * 2, _inputEnd + bytes.Length));
        bytes.CopyTo(_input.AsSpan(_inputEnd));
        _inputEnd += bytes.Length;
    }

    /// <summary>The host sends bytes, cut at random.</summary>
    public void WriteInPieces(ReadOnlySpan<byte> bytes, Random random, int largest)
    {
        Write(bytes);
        for (int left = bytes.Length; left > 0;)
        {
            int piece = Math.Min(left, random.Next(1, largest + 1));
            _pieces.Enqueue(piece);
            left -= piece;
        }
    }

    /// <summary>What the target has sent and nobody took.</summary>
    public ReadOnlySpan<byte> Output => _output.AsSpan(0, _outputLength);

    public byte[] TakeOutput()
    {
        byte[] taken = Output.ToArray();
        _outputLength = 0;
        return taken;
    }

    public void DropOutput() => _outputLength = 0;

    public bool CanReceive => _inputEnd > _inputStart || PeerClosed || IsShutDown;

    public bool CanSend => IsShutDown || !SendBlocked;

    public int Receive(ReadOnlySpan<IoVec> buffers)
    {
        if (IsDisposed) Assert.Fail("used after it was closed");
        Receives++;
        if (IsShutDown) return 0;
        int available = _inputEnd - _inputStart;
        if (available == 0) return 0;
        int limit = available;
        if (_pieces.Count > 0) limit = Math.Min(limit, _pieces.Dequeue());
        else if (Random is not null) limit = Random.Next(1, limit + 1);
        else if (MaxReceive > 0) limit = Math.Min(limit, MaxReceive);
        int done = 0;
        foreach (IoVec buffer in buffers)
        {
            if (buffer.Length == 0) Assert.Fail("an empty buffer was given to a receive");
            int count = Math.Min((int)buffer.Length, limit - done);
            _input.AsSpan(_inputStart, count).CopyTo(buffer.Span);
            _inputStart += count;
            done += count;
            if (done == limit) break;
        }
        return done;
    }

    public int Send(ReadOnlySpan<IoVec> buffers)
    {
        if (IsDisposed) Assert.Fail("used after it was closed");
        Sends++;
        if (IsShutDown || IsSendShutDown) return -Errno.EPIPE;
        int total = 0;
        foreach (IoVec buffer in buffers) total += (int)buffer.Length;
        if (total == 0) Assert.Fail("an empty send");
        int limit = Random is not null ? Random.Next(1, total + 1) : MaxSend > 0 ? Math.Min(total, MaxSend) : total;
        if (_output.Length - _outputLength < limit) Array.Resize(ref _output, Math.Max(_output.Length * 2, _outputLength + limit));
        int done = 0;
        foreach (IoVec buffer in buffers)
        {
            int count = Math.Min((int)buffer.Length, limit - done);
            buffer.Span[..count].CopyTo(_output.AsSpan(_outputLength));
            _outputLength += count;
            done += count;
            if (done == limit) break;
        }
        return done;
    }
}
