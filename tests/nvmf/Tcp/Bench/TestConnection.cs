using Spindle.Frontend.Nvmf.Tcp;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.LogPages;

namespace Spindle.NvmfTests.Tcp.Bench;

/// <summary>A connection whose target is the test: Write and Read go to an array, by blocks of 512 bytes; all else succeeds.</summary>
internal sealed class TestConnection : TcpConnection
{
    private static readonly NvmfTransportAddress s_address = new(TransportType.Tcp, AddressFamily.Ipv4, "127.0.0.1", "4420");

    private readonly Queue<TcpRequest> _deferred = new();

    public TestConnection(TcpTransport transport, MemorySocket socket, byte[] disk) : base(transport, s_address, s_address, socket)
    {
        Disk = disk;
        MemorySocket = socket;
    }

    public byte[] Disk { get; }

    public MemorySocket MemorySocket { get; }

    /// <summary>Commands are kept until <see cref="CompleteDeferred"/>.</summary>
    public bool Defers { get; set; }

    /// <summary>Called with every command, before it is carried out.</summary>
    public Action? OnRun { get; set; }

    /// <summary>Result of every command: completion dword 0.</summary>
    public uint Result { get; set; }

    /// <summary>Status of every command.</summary>
    public StatusField Status { get; set; }

    public int Executed { get; private set; }

    public int Deferred => _deferred.Count;

    /// <summary>Makes it an I/O queue, as Connect does.</summary>
    public void BecomeIoQueue(uint queueSize)
    {
        Qid = 1;
        QueueSize = queueSize;
        State = NvmfQueuePairState.Enabled;
        OnConnected();
    }

    public bool Abort(ushort cid) => TryAbort(cid);

    internal override void Run(TcpRequest request)
    {
        Executed++;
        OnRun?.Invoke();
        if (Defers) _deferred.Enqueue(request);
        else Perform(request);
    }

    public void CompleteDeferred()
    {
        while (_deferred.TryDequeue(out TcpRequest? request)) Perform(request);
    }

    private void Perform(TcpRequest request)
    {
        if (request.Command.Cdw10 * 512ul + request.Length > (ulong)Disk.Length)
        {
            request.Reject(new StatusField(GenericStatusCode.LbaOutOfRange, dnr: true));
            return;
        }
        int offset = (int)request.Command.Cdw10 * 512;
        uint total = 0;
        foreach (IoVec buffer in request.Buffers)
        {
            if (request.Command.Opcode == (byte)NvmOpcode.Write) buffer.Span.CopyTo(Disk.AsSpan(offset));
            else if (request.Command.Opcode == (byte)NvmOpcode.Read) Disk.AsSpan(offset, (int)buffer.Length).CopyTo(buffer.Span);
            offset += (int)buffer.Length;
            total += buffer.Length;
        }
        if (total != (request.Direction == DataTransferDirection.None ? 0 : request.Length)) Assert.Fail($"{total} bytes of buffers for {request.Length}");
        request.Completion.Cdw0 = Result;
        // Ends it with any status, with the bookkeeping of a command that the target had.
        request.Reject(Status);
    }
}
