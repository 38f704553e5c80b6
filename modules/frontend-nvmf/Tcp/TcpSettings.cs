using Spindle.Nvme.Tcp;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>What of the transport's behaviour is not an option of SPDK's <c>nvmf_create_transport</c>: constants in a running target, changed by tests only.</summary>
internal sealed record TcpSettings
{
    /// <summary>Time from the accept to the end of ICReq, and again to the end of Connect.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time to send what is queued to a connection that is being closed.</summary>
    public TimeSpan FlushTimeout { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Time that the host has to close the connection after C2HTermReq. Closing at once, with data of the host unread, would reset
    /// the connection and might destroy the C2HTermReq on its way.</summary>
    public TimeSpan TerminationLinger { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Time that the host has to close its side after the target has ended the connection in order. Until then what the host still sends is taken and thrown away:
    /// closing with bytes unread would reset the connection, and Linux raises SIGPIPE in a program whose I/O its nvme-tcp sends into a connection that was reset.</summary>
    public TimeSpan CloseLinger { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Granularity of the above.</summary>
    public TimeSpan SupervisionPeriod { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Connections of the transport without a Connect yet; beyond it, new ones wait in the listeners' backlog.</summary>
    public int MaxHalfOpen { get; init; } = 1024;

    /// <summary>Controller PDU Data Alignment, 0's based dwords: the alignment asked of hosts. Data is copied or received to its place anyway, so 0.</summary>
    public byte Cpda { get; init; }

    /// <summary>Bytes that one R2T asks for at most; a multiple of 4.</summary>
    public uint MaxR2TLength { get; init; } = 512 * 1024;

    /// <summary>R2Ts of one command that are outstanding at most, if the host's MAXR2T allows as many.</summary>
    public uint MaxR2TsPerCommand { get; init; } = 4;

    /// <summary>Bytes of write data that a connection asks for at once: what the network has under way at 10 GB/s in 50 µs, and what a processor's second-level cache
    /// holds. One command's data at least.</summary>
    public uint WriteWindow { get; init; } = 512 * 1024;

    /// <summary>Bytes received at most behind a PDU's data while more write data is on its way: headers and small capsules, of that data itself little, for what
    /// comes with them must be copied to its place.</summary>
    public int ReceivedBehindData { get; init; } = 1024;

    /// <summary>Bytes of data in one C2HData PDU at most; a multiple of 4.</summary>
    public uint MaxC2HData { get; init; } = 512 * 1024;

    /// <summary>Receive buffer of a connection that is not an I/O queue, bytes. Holds the largest PDU header many times over.</summary>
    public int SmallReceiveBuffer { get; init; } = 8 * 1024;

    /// <summary>Receive buffer of an I/O queue, bytes: a batch of capsules is parsed from one receive.</summary>
    public int LargeReceiveBuffer { get; init; } = 64 * 1024;

    /// <summary>In-capsule data that admin and fabrics commands may carry, bytes (NVMe TCP Transport Specification 1.0, section 3.3.1).</summary>
    public const uint AdminInCapsuleData = PduLayout.AdminInCapsuleDataSize;
}
