using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Fixtures;

/// <summary>One target for all protocol tests, started by the first that runs and again if one ends it.</summary>
public sealed class SharedTarget : IAsyncDisposable
{
    private readonly SemaphoreSlim gate = new(1, 1);
    private TargetFixture? target;

    public async Task<TargetFixture> GetAsync()
    {
        await gate.WaitAsync();
        try
        {
            if (target is { IsRunning: false })
            {
                await target.DisposeAsync();
                target = null;
            }
            return target ??= await StartAsync();
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>A target with options of its own, for one test.</summary>
    public static async Task<TargetFixture> StartAsync(TargetOptions? options = null) =>
        EmbeddedTarget.IsWanted ? await EmbeddedTarget.StartAsync(options) : await SpindleTarget.StartAsync(options);

    public async ValueTask DisposeAsync()
    {
        if (target is not null)
        {
            await target.DisposeAsync();
        }
    }
}

[CollectionDefinition(nameof(SharedTarget))]
public sealed class SharedTargetCollection : ICollectionFixture<SharedTarget>;

/// <summary>A test against the shared target. After each one the target must run, and a connection made before all tests must still do I/O.</summary>
[Collection(nameof(SharedTarget))]
public abstract class ProtocolTest(SharedTarget shared) : IAsyncLifetime
{
    protected TargetFixture Target { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Target = await shared.GetAsync();

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (Target is not null)
        {
            await Target.AssertHealthyAsync();
        }
    }

    protected Task<NvmeTcpController> ConnectAsync(HostOptions? options = null) => NvmeTcpController.ConnectAsync(Target.Endpoint, Target.Subnqn, options);

    protected Task<NvmeTcpController> ConnectAsync(QueueOptions queues, int ioQueues = 1) =>
        ConnectAsync(new HostOptions { AdminQueue = queues with { QueueSize = 32 }, IoQueue = queues, IoQueues = ioQueues });

    protected Task<PduConnection> OpenAsync(DigestTypes digests = DigestTypes.None, uint maxR2T = 1) => PduConnection.OpenAndInitializeAsync(Target.Endpoint, digests, maxR2T);

    protected static byte[] Pattern(int length, int seed)
    {
        byte[] data = new byte[length];
        new Random(seed).NextBytes(data);
        return data;
    }
}

/// <summary>A raw connection with an I/O queue connected on it, where a test sends capsules and data as it likes.</summary>
public sealed class RawIoQueue : IAsyncDisposable
{
    private readonly NvmeTcpController controller;

    private RawIoQueue(NvmeTcpController controller, PduConnection connection)
    {
        this.controller = controller;
        Connection = connection;
    }

    public PduConnection Connection { get; }

    public int MaxInCapsuleData => (int)(controller.Identify.Ioccsz * 16) - 64;

    /// <summary>The association the queue belongs to.</summary>
    public NvmeTcpController Controller => controller;

    public static async Task<RawIoQueue> OpenAsync(ITargetFixture target, DigestTypes digests = DigestTypes.None, uint maxR2T = 1, int queueSize = 32)
    {
        NvmeTcpController controller = await NvmeTcpController.ConnectAsync(target.Endpoint, target.Subnqn, new HostOptions { IoQueues = 0 });
        try
        {
            PduConnection connection = await PduConnection.OpenAndInitializeAsync(target.Endpoint, digests, maxR2T);
            await connection.SendAsync(PduBuilder.CapsuleCmd(
                WithInCapsule(FabricsCommands.Connect(1, (ushort)(queueSize - 1), 0), ConnectDataLength) with { Cid = 0xFFF0 },
                FabricsCommands.ConnectData(controller.Options.Hostnqn, target.Subnqn, controller.Options.Hostid, controller.Cntlid),
                connection.Digests, connection.Cpda));
            CapsuleResp resp = (await connection.ReceiveAsync())!.As<CapsuleResp>();
            Assert.True(resp.Rccqe.Status.IsSuccess, $"Connect of the raw I/O queue: {resp.Rccqe.Status}");
            return new RawIoQueue(controller, connection);
        }
        catch
        {
            await controller.DisposeAsync();
            throw;
        }
    }

    private const uint ConnectDataLength = Spindle.Nvme.Fabrics.ConnectData.Size;

    public static Spindle.Nvme.Commands.SubmissionQueueEntry WithInCapsule(Spindle.Nvme.Commands.SubmissionQueueEntry sqe, uint length, ulong offset = 0)
    {
        sqe.Psdt = Spindle.Nvme.Commands.PrpOrSgl.SglMptrContiguous;
        sqe.Sgl1 = Spindle.Nvme.Commands.SglDescriptor.InCapsule(offset, length);
        return sqe;
    }

    public static Spindle.Nvme.Commands.SubmissionQueueEntry WithTransport(Spindle.Nvme.Commands.SubmissionQueueEntry sqe, uint length)
    {
        sqe.Psdt = Spindle.Nvme.Commands.PrpOrSgl.SglMptrContiguous;
        sqe.Sgl1 = Spindle.Nvme.Commands.SglDescriptor.TransportDataBlock(length);
        return sqe;
    }

    /// <summary>Sends a capsule.</summary>
    public Task SendAsync(Spindle.Nvme.Commands.SubmissionQueueEntry sqe, ReadOnlySpan<byte> inCapsule = default) =>
        Connection.SendAsync(PduBuilder.CapsuleCmd(sqe, inCapsule, Connection.Digests, Connection.Cpda));

    /// <summary>Sends one H2CData.</summary>
    public Task SendDataAsync(ushort cccid, ushort ttag, uint datao, ReadOnlySpan<byte> data, bool last) =>
        Connection.SendAsync(PduBuilder.H2CData(cccid, ttag, datao, data, last, Connection.Digests, Connection.Cpda));

    /// <summary>The next PDU, which must be of this type.</summary>
    public async Task<ReceivedPdu> ExpectAsync(PduType type)
    {
        ReceivedPdu pdu = await Connection.ReceiveAsync() ?? throw new ProtocolViolationException($"The target closed the connection where a {type} was due.");
        if (pdu.Type != type)
        {
            PduConnection.ThrowIfTerminated(pdu);
            throw new ProtocolViolationException($"A {pdu.Type} came where a {type} was due.");
        }
        return pdu;
    }

    /// <summary>The next PDU, which must be the completion of this command.</summary>
    public async Task<Spindle.Nvme.Commands.CompletionQueueEntry> ExpectCompletionAsync(ushort cid)
    {
        Spindle.Nvme.Commands.CompletionQueueEntry cqe = (await ExpectAsync(PduType.CapsuleResp)).As<CapsuleResp>().Rccqe;
        Assert.Equal(cid, cqe.Cid);
        return cqe;
    }

    public async ValueTask DisposeAsync()
    {
        await Connection.DisposeAsync();
        await controller.DisposeAsync();
    }
}
