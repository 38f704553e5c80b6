using Microsoft.Extensions.Logging.Abstractions;
using NSubstitute;
using Spindle.Frontend.Nvmf.Tcp;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Host.Memory;
using Spindle.Modules;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Tcp.Bench;

/// <summary>One poll group with the TCP transport, on memory sockets, turned by hand. Disposing checks that every buffer came back.</summary>
internal sealed class TcpBench : IDisposable
{
    private readonly NvmfPollGroup _group;
    private readonly IobufPools _pools;
    private readonly List<TestConnection> _connections = [];
    private bool _disposed;

    public TcpBench(Action<NvmfTransportOptions>? configure = null, TcpSettings? settings = null, IobufOptions? iobuf = null)
    {
        Thread = new TestThread();
        Thread.Enter();
        _pools = new IobufPools(new TestMemory(), iobuf ?? new IobufOptions { SmallPoolCount = 256, LargePoolCount = 32 });
        var options = new NvmfTransportOptions { BufferCacheSize = 0 };
        configure?.Invoke(options);
        new TcpTransportFactory().Validate(options);
        Transport = new TcpTransport(options, settings ?? new TcpSettings());
        var context = Substitute.For<IModuleContext>();
        context.Iobuf.Returns(_pools);
        context.Memory.Returns(new TestMemory());
        context.Logging.Returns(NullLoggerFactory.Instance);
        var host = Substitute.For<INvmfTransportHost>();
        host.Context.Returns(context);
        host.PollGroups.Returns([]);
        Transport.Host = host;
        Transport.StartAsync(CancellationToken.None).GetAwaiter().GetResult();
        _group = TestPollGroup.Create(Thread, () => Closed++);
        _group.AddTransport(Transport);
        Part = (TcpPollGroup)_group.GetTransportGroup(Transport);
    }

    public TestThread Thread { get; }
    public TcpTransport Transport { get; }
    public TcpPollGroup Part { get; }
    public byte[] Disk { get; } = new byte[4 * 1024 * 1024];

    /// <summary>Connections that have ended.</summary>
    public int Closed { get; private set; }

    public NvmfPollGroup Group => _group;

    /// <summary>A connection that has not sent anything.</summary>
    public TestConnection Accept()
    {
        var connection = new TestConnection(Transport, new MemorySocket(), Disk);
        _connections.Add(connection);
        connection.Group = _group;
        _group.Add(connection);
        return connection;
    }

    /// <summary>An I/O queue past ICReq.</summary>
    public TestConnection Connect(DigestTypes digests = DigestTypes.None, uint maxr2t = 0, byte hpda = 0, uint queueSize = 128)
    {
        TestConnection connection = Accept();
        connection.MemorySocket.Write(PduBuilder.ICReq(digests, maxr2t, hpda));
        Thread.Run();
        connection.MemorySocket.DropOutput();
        connection.BecomeIoQueue(queueSize);
        return connection;
    }

    public void Run() => Thread.Run();

    /// <summary>Runs until something holds, for at most 5 s.</summary>
    public void RunUntil(Func<bool> condition)
    {
        long end = Environment.TickCount64 + 5000;
        while (true)
        {
            Thread.Run();
            if (condition()) return;
            Assert.True(Environment.TickCount64 < end, "did not happen within 5 s");
            System.Threading.Thread.Sleep(1);
        }
    }

    /// <summary>Waits until a connection is closed, with all it had given back.</summary>
    public void RunUntilClosed(TestConnection connection)
    {
        RunUntil(() => connection.State == NvmfQueuePairState.Closed);
        Assert.True(connection.MemorySocket.IsDisposed);
        Assert.True(connection.Pool.InUse == 0, "slots in use: " + string.Join(", ", connection.Pool.All.ToArray()
            .Where(r => r.Stage != TcpRequestStage.Free).Select(r => $"{r.Index} {r.Stage} opcode {r.Command.Opcode:X2}h state {r.State}")));
    }

    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        foreach (TestConnection connection in _connections)
        {
            connection.Defers = false;
            connection.CompleteDeferred();
            connection.MemorySocket.SendBlocked = false;
            connection.MemorySocket.PeerClosed = true;
            RunUntilClosed(connection);
        }
        Assert.Equal(0, Part.Buffers.Taken);
        Assert.Equal(0, Part.Count);
        Assert.Equal(_connections.Count, Closed);
        Assert.Equal(0, Thread.TestRing.PendingCount);
        Assert.Equal(0, Thread.TimersRunning);
        _group.DisposeTransports();
        Assert.Equal((0, 0), _pools.InUse);
        _pools.Dispose();
        TestThread.Leave();
    }
}
