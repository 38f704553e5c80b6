namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>How much write data a connection asks the host for at once. The data of one command comes after that of another anyway; asking for that of all would only spread
/// it over more buffers than the processor's cache holds. Commands beyond the window wait, first come first served, without buffers.</summary>
/// <remarks>A command leaves the window when its data is complete, not when it is carried out: a slow bdev has as many outstanding as the host sends.</remarks>
internal sealed class TcpWriteWindow(TcpConnection connection)
{
    private TcpRequest? _head;
    private TcpRequest? _tail;
    private uint _bytes;
    private bool _closed;

    /// <summary>Data that was asked for is on its way, or about to be asked for.</summary>
    public bool IsActive => _bytes != 0;

    /// <summary>Lets a command in, or has it wait.</summary>
    [DataPath]
    public void Enter(TcpRequest request)
    {
        if (_head is null && HasRoomFor(request))
        {
            Admit(request);
            return;
        }
        request.Stage = TcpRequestStage.WaitingForWindow;
        request.PreviousInQueue = _tail;
        request.NextInQueue = null;
        if (_tail is null) _head = request;
        else _tail.NextInQueue = request;
        _tail = request;
    }

    /// <summary>Its data has come, or will not: others may have its place. Harmless for a command that is not inside.</summary>
    [DataPath]
    public void Leave(TcpRequest request)
    {
        if (!request.InWindow) return;
        request.InWindow = false;
        _bytes -= request.Length;
        while (!_closed && _head is { } next && HasRoomFor(next))
        {
            Remove(next);
            Admit(next);
        }
    }

    /// <summary>Takes a waiting command out.</summary>
    public void Remove(TcpRequest request)
    {
        if (request.PreviousInQueue is null) _head = request.NextInQueue;
        else request.PreviousInQueue.NextInQueue = request.NextInQueue;
        if (request.NextInQueue is null) _tail = request.PreviousInQueue;
        else request.NextInQueue.PreviousInQueue = request.PreviousInQueue;
        request.NextInQueue = null;
        request.PreviousInQueue = null;
    }

    /// <summary>The connection ends: nobody is let in any more.</summary>
    public void Close() => _closed = true;

    // One command always, however large.
    private bool HasRoomFor(TcpRequest request) => _bytes == 0 || (ulong)_bytes + request.Length <= connection.Settings.WriteWindow;

    [DataPath]
    private void Admit(TcpRequest request)
    {
        request.InWindow = true;
        _bytes += request.Length;
        if (connection.Buffers.TryGet(request)) request.OnBuffers();
    }
}
