namespace Spindle.Frontend.Nvmf.Transport;

/// <summary>The options of <c>nvmf_create_transport</c> that transports share, with SPDK's defaults for TCP. Constant once the transport is started.</summary>
public sealed class NvmfTransportOptions
{
    /// <summary>Entries of the largest I/O submission queue: 2 … 65,536.</summary>
    public uint MaxQueueDepth { get; set; } = 128;

    /// <summary>I/O queues of a controller: 1 … 65,534.</summary>
    public uint MaxIoQueuePairsPerController { get; set; } = 127;

    /// <summary>Bytes of data that an I/O command capsule may carry; a multiple of 16. Admin and fabrics capsules may carry what their transport binding says.</summary>
    public uint InCapsuleDataSize { get; set; } = 4096;

    /// <summary>Bytes of the largest data transfer of one command (MDTS follows from it); 8 KiB or more, a power of two times 4 KiB.</summary>
    public uint MaxIoSize { get; set; } = 131072;

    /// <summary>Bytes of one data buffer; a transfer takes as many as it needs.</summary>
    public uint IoUnitSize { get; set; } = 131072;

    /// <summary>Entries of the largest admin submission queue: 32 … 4,096.</summary>
    public uint MaxAdminQueueDepth { get; set; } = 128;

    /// <summary>Data buffers that all poll groups of the transport may use together.</summary>
    public uint SharedBuffers { get; set; } = 511;

    /// <summary>Data buffers that a poll group keeps at hand; <see cref="uint.MaxValue"/>: the transport chooses.</summary>
    public uint BufferCacheSize { get; set; } = uint.MaxValue;

    /// <summary>Add protection information to what the host writes and take it off what it reads.</summary>
    public bool DifInsertOrStrip { get; set; }

    /// <summary>Lend the bdev's own buffers.</summary>
    public bool Zcopy { get; set; }

    /// <summary>TCP: the last C2HData PDU stands for a successful completion.</summary>
    public bool C2hSuccess { get; set; } = true;

    /// <summary>TCP: the sockets' priority; 0: the system's.</summary>
    public uint SocketPriority { get; set; }

    /// <summary>Seconds that an Abort waits for a command that its transport cannot end at once.</summary>
    public uint AbortTimeoutSeconds { get; set; } = 1;

    /// <summary>Milliseconds until an unacknowledged connection is dropped; 0: the system's.</summary>
    public uint AckTimeout { get; set; }

    /// <summary>TCP: PDUs for control messages in each poll group.</summary>
    public uint ControlMessages { get; set; } = 32;

    /// <summary>RDMA: work requests in the pool.</summary>
    public uint DataWorkRequestPoolSize { get; set; }

    /// <summary>Refuse commands that would be passed through to an NVMe bdev.</summary>
    public bool DisableCommandPassthrough { get; set; }

    /// <summary>Granularity of the keep alive timer in 100 ms (KAS).</summary>
    public ushort KeepAliveGranularity { get; set; } = 100;

    /// <summary>Milliseconds; smaller keep alive timeouts that a host asks for are raised to this.</summary>
    public uint MinKeepAliveTimeout { get; set; } = 10000;
}
