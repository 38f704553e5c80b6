using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Io;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;
using Spindle.Rpc;
using AddressFamily = Spindle.Nvme.LogPages.AddressFamily;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>NVMe over TCP (NVMe TCP Transport Specification 1.0).</summary>
internal sealed class TcpTransport : NvmfTransport
{
    private readonly List<TcpListener> _listeners = [];
    private readonly List<TcpPollGroup> _groups = [];
    private readonly Lock _groupsLock = new();
    private int _halfOpen;

    public TcpTransport(NvmfTransportOptions options, TcpSettings? settings = null) : base(options) => Settings = settings ?? new TcpSettings();

    /// <inheritdoc/>
    public override string Name => "TCP";

    /// <inheritdoc/>
    public override TransportType Type => TransportType.Tcp;

    public TcpSettings Settings { get; }

    public ILogger Log { get; private set; } = NullLogger.Instance;

    /// <summary>Bytes of the host's large iobuf buffers.</summary>
    public uint LargeBufferSize { get; private set; }

    /// <summary>False while too many connections have not sent Connect.</summary>
    public bool MayAccept => Volatile.Read(ref _halfOpen) < Settings.MaxHalfOpen;

    /// <inheritdoc/>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        Log = Host.Context.Logging.CreateLogger("nvmf.tcp");
        LargeBufferSize = Host.Context.Iobuf.LargeBufferSize;
        if (Math.Max(Options.InCapsuleDataSize, 4096) > LargeBufferSize)
        {
            throw new SpindleException(Errno.EINVAL,
                $"in_capsule_data_size {Options.InCapsuleDataSize} does not fit an iobuf large buffer of {LargeBufferSize} bytes; lower it, or raise large_bufsize by iobuf_set_options.");
        }
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override NvmfTransportPollGroup CreatePollGroup(NvmfPollGroup group)
    {
        var part = new TcpPollGroup(this, group);
        lock (_groupsLock) _groups.Add(part);
        return part;
    }

    /// <inheritdoc/>
    public override Task<NvmfTransportAddress> ListenAsync(NvmfTransportAddress address, CancellationToken cancellationToken)
    {
        IPEndPoint endPoint = ParseAddress(address);
        RingListener listener = Host.Context.Io.Listen(endPoint);
        NvmfTransportAddress actual = address with
        {
            ServiceId = ((IPEndPoint)listener.LocalEndPoint).Port.ToString(CultureInfo.InvariantCulture),
        };
        var port = new TcpListener(this, actual, listener, Host.Context.Threads.AppThread);
        _listeners.Add(port);
        port.Start();
        return Task.FromResult(actual);
    }

    /// <inheritdoc/>
    public override async Task StopListeningAsync(NvmfTransportAddress address)
    {
        TcpListener? listener = _listeners.Find(l => l.Address.Matches(address));
        if (listener is null) return;
        _listeners.Remove(listener);
        await listener.StopAsync();
    }

    /// <inheritdoc/>
    public override void DescribeController(ref IdentifyController data)
    {
        // In units of 16 bytes: the submission queue entry and the in-capsule data.
        data.Ioccsz = (64 + Options.InCapsuleDataSize) / 16;
        data.Iorcsz = 1;
        data.Icdoff = 0;
        data.Msdbd = 1;
    }

    /// <inheritdoc/>
    public override void WriteStatistics(NvmfPollGroup group, IRpcWriter writer)
    {
        foreach (TcpPollGroup part in Groups)
        {
            if (part.Group == group) part.Statistics.Write(writer);
        }
    }

    /// <inheritdoc/>
    public override async Task StopAsync()
    {
        foreach (TcpListener listener in _listeners.ToArray()) await listener.StopAsync();
        _listeners.Clear();
    }

    /// <summary>The parts of the poll groups. On any thread.</summary>
    internal TcpPollGroup[] Groups
    {
        get
        {
            lock (_groupsLock) return [.. _groups];
        }
    }

    internal void OnGroupDisposed(TcpPollGroup group)
    {
        lock (_groupsLock) _groups.Remove(group);
    }

    /// <summary>A listener has a connection.</summary>
    internal void OnAccepted(TcpListener listener, RingSocket socket)
    {
        NvmfTransportAddress peer;
        try
        {
            peer = NvmfTransportAddress.FromEndPoint(TransportType.Tcp, socket.RemoteEndPoint);
        }
        catch (Exception exception)
        {
            // It was gone before its address could be read.
            Log.LogDebug("A connection to {Address} was lost at once: {Error}", listener.Address, exception.Message);
            socket.Dispose();
            return;
        }
        Interlocked.Increment(ref _halfOpen);
        Host.Accept(new TcpConnection(this, listener.Address, peer, socket));
    }

    /// <summary>A connection has sent Connect, or will not any more. Once for each.</summary>
    internal void OnHandshakeEnded(TcpConnection connection) => Interlocked.Decrement(ref _halfOpen);

    private static IPEndPoint ParseAddress(NvmfTransportAddress address)
    {
        if (!IPAddress.TryParse(address.Address, out IPAddress? ip))
            throw new SpindleException(Errno.EINVAL, $"traddr '{address.Address}' is not an IP address.");
        AddressFamily family = ip.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? AddressFamily.Ipv6 : AddressFamily.Ipv4;
        if (address.AddressFamily != family)
            throw new SpindleException(Errno.EINVAL, $"traddr '{address.Address}' is not of the address family {address.FamilyName} that adrfam names.");
        if (!ushort.TryParse(address.ServiceId, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
            throw new SpindleException(Errno.EINVAL, $"trsvcid '{address.ServiceId}' is not a TCP port, 0 to 65535.");
        return new IPEndPoint(ip, port);
    }
}
