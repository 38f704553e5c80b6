using Spindle.Bdev.Nvme.Transports;
using Spindle.Memory;
using Spindle.Modules;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Events;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Features;
using Spindle.Nvme.Identify;
using Spindle.Nvme.Initiator.Admin;
using Spindle.Nvme.Initiator.Queues;
using Spindle.Nvme.LogPages;
using Spindle.Nvme.Registers;

namespace Spindle.Bdev.Nvme.Controllers;

/// <summary>An association with a controller, from its connection to its loss: the admin queue and all that goes by it. A reconnect makes another one.
/// On the app thread, but for the queue identifiers.</summary>
internal sealed class ControllerSession : IAsyncDisposable
{
    private const int MaxIoQueueDepth = 4095;
    private const int DefaultIoQueueDepth = 127;
    private const int DataBytes = 4096;
    private static readonly TimeSpan s_eventInterval = TimeSpan.FromMilliseconds(10);

    private readonly NvmeQueue _admin;
    private readonly DmaBuffer _memory;
    private readonly SemaphoreSlim _data = new(1);
    private readonly NvmeOptions _options;
    private readonly Lock _qidsLock = new(); // queues are made and ended on their threads; not on the data path
    private readonly Stack<ushort> _qids = new();
    private readonly CancellationTokenSource _closing = new();
    private Task _background = Task.CompletedTask;
    private bool _closed;

    private ControllerSession(NvmeTransport transport, NvmeQueue admin, DmaBuffer memory, NvmeOptions options)
    {
        Transport = transport;
        _admin = admin;
        _memory = memory;
        _options = options;
    }

    internal NvmeTransport Transport { get; }
    internal IoQueueTerms Terms { get; private set; } = new(0, DefaultIoQueueDepth, 0);
    internal IdentifyController Identify { get; private set; }
    internal NvmeVersion Version { get; private set; }

    /// <summary>Bytes of the largest command.</summary>
    internal uint MaxTransferBytes { get; private set; }

    internal bool HasAna => (Identify.Cmic & ControllerMultiPathCapabilities.AsymmetricNamespaceAccessReporting) != 0;
    internal string SerialNumber => Text(Identify.Sn);
    internal string ModelNumber => Text(Identify.Mn);
    internal string FirmwareRevision => Text(Identify.Fr);

    // The parameter is a place of its own, which the field of a copy is not.
    private static string Text<T>(T field) where T : unmanaged => AsciiField.Read(WireBuffer.AsBytes(ref field));

    /// <summary>The admin queue works.</summary>
    internal bool IsUsable => !_closed && _admin.IsUsable;

    /// <summary>Told once when the association is lost; not when it is closed.</summary>
    internal Action<ControllerSession, string>? Lost { get; set; }

    /// <summary>Told of each event that the controller reports.</summary>
    internal Action<AsynchronousEvent>? EventReported { get; set; }

    /// <summary>Connects, enables the controller and finds out what it can do.</summary>
    /// <exception cref="SpindleException">It cannot be reached, refuses, or says what cannot be.</exception>
    internal static async Task<ControllerSession> ConnectAsync(IModuleContext context, NvmeTransport transport, NvmeOptions options, uint ioQueues, CancellationToken cancellationToken)
    {
        var memory = context.Memory.Allocate(DataBytes);
        try
        {
            var (admin, cntlid) = await transport.OpenAdminQueueAsync(cancellationToken);
            var session = new ControllerSession(transport, admin, memory, options);
            try
            {
                await session.InitializeAsync(cntlid, ioQueues);
                return session;
            }
            catch
            {
                await session.CloseAdminAsync();
                throw;
            }
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    private async Task InitializeAsync(ushort cntlid, uint ioQueues)
    {
        var capabilities = new ControllerCapabilities(await Transport.ReadPropertyAsync(_admin, PropertyOffset.Cap, PropertySize.EightBytes));
        Version = new NvmeVersion((uint)await Transport.ReadPropertyAsync(_admin, PropertyOffset.Vs, PropertySize.FourBytes));
        await _admin.EnableAsync(capabilities, _options.AdminTimeout);
        Identify = WireBuffer.Read<IdentifyController>(await IdentifyAsync(IdentifyCns.Controller, 0));
        if (Identify.Cntlid != cntlid) throw new SpindleException(Errno.EPROTO, $"The controller connected as {cntlid} and calls itself {Identify.Cntlid} (CNTLID).");
        MaxTransferBytes = TransferLimit(capabilities);
        uint depth = Math.Min((uint)MaxIoQueueDepth, _options.IoQueueRequests != 0 ? _options.IoQueueRequests : DefaultIoQueueDepth);
        // MQES counts entries from 0, one of which stays free.
        depth = Math.Min(depth, Math.Max(capabilities.Mqes, (ushort)1));
        if (Identify.Maxcmd != 0) depth = Math.Min(depth, Identify.Maxcmd);
        // IOCCSZ is in units of 16 bytes and includes the command.
        ulong capsule = (ulong)Identify.Ioccsz * 16;
        uint inCapsule = capsule > NvmeConstants.SubmissionQueueEntrySize ? (uint)Math.Min(capsule - NvmeConstants.SubmissionQueueEntrySize, 1 << 20) : 0;
        if (Identify.Icdoff != 0) inCapsule = 0; // NVMe/TCP has none (3.1); data after a gap is not worth the case
        Terms = new IoQueueTerms(cntlid, (int)depth, inCapsule);
        int queues = Identify.Cntrltype == ControllerType.Discovery ? 0 : await _admin.SetQueueCountAsync((int)Math.Min(ioQueues, ushort.MaxValue), _options.AdminTimeout);
        for (int qid = queues; qid > 0; qid--) _qids.Push((ushort)qid);
    }

    /// <summary>MDTS is a power of two of the smallest page (NVMe Base Specification 2.0, figure 275); 0: no limit.</summary>
    private uint TransferLimit(ControllerCapabilities capabilities)
    {
        int shift = 12 + capabilities.Mpsmin + Identify.Mdts;
        return Identify.Mdts == 0 || shift > 30 ? 1u << 30 : 1u << shift;
    }

    /// <summary>Turns on keep-alives and the reports of events.</summary>
    internal async Task StartAsync()
    {
        _admin.Failed = queue =>
        {
            if (!_closed) Lost?.Invoke(this, queue.Failure!);
        };
        if (!_admin.IsUsable) throw new SpindleException(Errno.ENOTCONN, _admin.Failure ?? "The connection was closed.");
        var events = Identify.Oaes & (AsynchronousEventConfiguration.NamespaceAttributeNotices | AsynchronousEventConfiguration.AsymmetricNamespaceAccessChangeNotices
            | AsynchronousEventConfiguration.DiscoveryLogPageChangeNotification);
        if (events != 0) await _admin.SetFeatureAsync(FeatureIdentifier.AsynchronousEventConfiguration, (uint)events, _options.AdminTimeout);
        _background = Task.WhenAll(WatchEventsAsync(), KeepAliveAsync());
    }

    private async Task WatchEventsAsync()
    {
        try
        {
            while (!_closed)
            {
                var entry = new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.AsynchronousEventRequest };
                var completion = await _admin.ExecuteAsync(entry, default, false, Timeout.InfiniteTimeSpan);
                // A controller that takes no event request is used without its reports.
                if (!completion.Status.IsSuccess) return;
                EventReported?.Invoke(new AsynchronousEvent(completion.Cdw0));
                // However many it reports, the host goes on with its other work.
                await Task.Delay(s_eventInterval, _closing.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Closed.
        }
        catch (SpindleException)
        {
            // The queue has ended, which Lost tells.
        }
    }

    private async Task KeepAliveAsync()
    {
        if (_options.KeepAliveTimeoutMs == 0) return;
        var timeout = TimeSpan.FromMilliseconds(_options.KeepAliveTimeoutMs);
        try
        {
            while (true)
            {
                await Task.Delay(timeout / 2, _closing.Token);
                await _admin.DoAsync("Keep Alive", new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.KeepAlive }, default, false, timeout);
            }
        }
        catch (OperationCanceledException)
        {
            // Closed.
        }
        catch (NvmeStatusException e)
        {
            _admin.Fail(e.Message);
        }
        catch (SpindleException)
        {
            // The queue has ended, which Lost tells.
        }
    }

    /// <summary>An identifier for an I/O queue; null when all that the controller granted are taken. On any thread.</summary>
    internal ushort? TakeQid()
    {
        lock (_qidsLock) return _qids.TryPop(out ushort qid) ? qid : null;
    }

    /// <summary>Gives one back whose queue could not be made or has ended.</summary>
    internal void ReturnQid(ushort qid)
    {
        lock (_qidsLock) _qids.Push(qid);
    }

    /// <summary>Identify, 4,096 bytes.</summary>
    internal Task<byte[]> IdentifyAsync(IdentifyCns cns, uint nsid) =>
        WithDataAsync(DataBytes, data => _admin.IdentifyAsync(cns, nsid, data, _options.AdminTimeout));

    /// <summary>Part of a log page, at most 4,096 bytes.</summary>
    internal Task<byte[]> GetLogPageAsync(LogPageIdentifier page, ulong offset, uint length, bool retain = false) =>
        WithDataAsync(length, data => _admin.GetLogPageAsync(page, NvmeConstants.BroadcastNsid, offset, data, _options.AdminTimeout, retain));

    private async Task<byte[]> WithDataAsync(uint length, Func<IoVec, Task> command)
    {
        await _data.WaitAsync();
        try
        {
            if (_closed) throw new SpindleException(Errno.ENOTCONN, "The connection was closed.");
            var data = _memory.Slice(0, length);
            await command(data);
            return data.Span.ToArray();
        }
        finally
        {
            _data.Release();
        }
    }

    /// <summary>Asks the controller to abort a command of an I/O queue.</summary>
    /// <returns>True when it did.</returns>
    internal async Task<bool> AbortAsync(ushort qid, ushort commandIdentifier)
    {
        var entry = new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.Abort };
        entry.As<AbortCommand>().AbortSqid = qid;
        entry.As<AbortCommand>().AbortCid = commandIdentifier;
        var completion = await _admin.ExecuteAsync(entry, default, false, _options.AdminTimeout);
        return completion.Status.IsSuccess && (completion.Cdw0 & 1) == 0;
    }

    /// <summary>Tells the controller that the host leaves, as far as it still listens.</summary>
    internal async Task ShutDownAsync()
    {
        if (_closed || !_admin.IsUsable) return;
        try
        {
            var configuration = new ControllerConfiguration { En = true, Iosqes = 6, Iocqes = 4, Shn = ShutdownNotification.Normal };
            await Transport.WritePropertyAsync(_admin, PropertyOffset.Cc, configuration.Raw);
        }
        catch (SpindleException)
        {
            // Then it does not.
        }
    }

    private async Task CloseAdminAsync()
    {
        _closed = true;
        await _closing.CancelAsync();
        await _admin.CloseAsync();
        await _background;
        // Whoever waits for the data's memory is through with it, since the queue has ended.
        await _data.WaitAsync();
        Transport.Free(_admin);
        _closing.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        if (_closed) return;
        await CloseAdminAsync();
        _memory.Dispose();
    }
}
