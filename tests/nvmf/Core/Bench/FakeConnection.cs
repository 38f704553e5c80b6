using System.Runtime.InteropServices;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.LogPages;

namespace Spindle.NvmfTests.Core.Bench;

/// <summary>What a command ended with.</summary>
internal sealed record Outcome(CompletionQueueEntry Completion, byte[] Data)
{
    public StatusField Status => Completion.Status;
}

/// <summary>A connection of <see cref="FakeTransport"/>: commands go in, on its thread, and come out as tasks.</summary>
internal sealed class FakeConnection(FakeTransport transport, NvmfTransportAddress at)
    : NvmfQueuePair(transport, at, new NvmfTransportAddress(TransportType.Tcp, AddressFamily.Ipv4, "192.0.2.9", "50000"))
{
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _cid;

    public Task Started => _started.Task;

    /// <summary>Ends when the target has let go of the connection.</summary>
    public Task ClosedTask => _closed.Task;

    /// <summary>Commands that the target completed.</summary>
    public int Completed { get; private set; }

    /// <summary>Asks the target first to take a command's data at once, as a transport does that has all of it.</summary>
    public bool AsksAtOnce { get; set; }

    /// <summary>Bytes of one buffer; data of more is spread over several.</summary>
    public int BufferSize { get; set; } = 1 << 20;

    protected internal override void OnStart() => _started.TrySetResult();

    protected internal override void OnDisconnecting() { }

    protected internal override void OnDrained()
    {
        Closed();
        _closed.TrySetResult();
    }

    /// <summary>Sends a command.</summary>
    /// <param name="command">CID and SGL are set here.</param>
    /// <param name="toController">Data for the controller.</param>
    /// <param name="toHost">Bytes of room for data to the host.</param>
    public Task<Outcome> SendAsync(SubmissionQueueEntry command, byte[]? toController = null, int toHost = 0) => Send(command, toController, toHost).Done;

    /// <summary>As <see cref="SendAsync"/>, with the request in hand.</summary>
    public FakeRequest Send(SubmissionQueueEntry command, byte[]? toController = null, int toHost = 0)
    {
        FakeRequest request = Announce(command, toController, toHost);
        Execute(request);
        return request;
    }

    /// <summary>The capsule arrives; its data does not yet.</summary>
    public FakeRequest Announce(SubmissionQueueEntry command, byte[]? toController = null, int toHost = 0)
    {
        FakeRequest request = new(this, toController ?? new byte[toHost], BufferSize);
        command.Cid = (ushort)Interlocked.Increment(ref _cid);
        command.Psdt = PrpOrSgl.SglMptrContiguous;
        command.Sgl1 = SglDescriptor.TransportDataBlock((uint)(toController?.Length ?? toHost));
        request.Command = command;
        Group.Thread.Send(_ =>
        {
            Arrive(request);
            request.FillBuffers();
        }, null);
        return request;
    }

    /// <summary>The data of an announced command is there.</summary>
    public void Execute(FakeRequest request) => Group.Thread.Send(_ =>
    {
        if (!AsksAtOnce || !request.TryWriteAtOnce()) request.Execute();
    }, null);

    /// <summary>The transport gives up on an announced command.</summary>
    public void Reject(FakeRequest request, StatusField status) => Group.Thread.Send(_ => request.Reject(status), null);

    /// <summary>The peer goes away.</summary>
    public Task CloseAsync()
    {
        Group.Thread.Send(_ => Disconnect("the test closes it"), null);
        return ClosedTask.WaitAsync(TimeSpan.FromSeconds(10));
    }

    internal void Count() => Completed++;
}

/// <summary>A command of a <see cref="FakeConnection"/>.</summary>
internal sealed unsafe class FakeRequest : NvmfRequest
{
    private readonly TaskCompletionSource<Outcome> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly byte* _memory;
    private readonly int _length;
    private readonly int _bufferSize;

    public FakeRequest(FakeConnection connection, byte[] data, int bufferSize) : base(connection, data.Length / bufferSize + 1)
    {
        _length = data.Length;
        _bufferSize = bufferSize;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(data.Length, 1), 4096);
        data.CopyTo(new Span<byte>(_memory, data.Length));
    }

    /// <summary>Ends with the command.</summary>
    public Task<Outcome> Done => _done.Task.WaitAsync(TimeSpan.FromSeconds(20));

    public void FillBuffers()
    {
        for (int at = 0; at < _length; at += _bufferSize) Assert.True(AddBuffer(new IoVec(_memory + at, (uint)Math.Min(_bufferSize, _length - at))));
    }

    public bool TryWriteAtOnce() => TryWriteAtOnce(new ReadOnlySpan<byte>(_memory, _length));

    protected internal override void OnCompleted()
    {
        byte[] data = new Span<byte>(_memory, _length).ToArray();
        ((FakeConnection)QueuePair).Count();
        Assert.True(_done.TrySetResult(new Outcome(Completion, data)), "completed twice");
    }
}
