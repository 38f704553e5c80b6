namespace Spindle.Nvme.Initiator.Tcp;

/// <summary>What an NVMe/TCP queue is made with.</summary>
public sealed record TcpQueueOptions
{
    /// <summary>Commands that may be outstanding, 1 to 4,095.</summary>
    public int Depth { get; init; } = 32;

    /// <summary>Ask for header digests.</summary>
    public bool HeaderDigest { get; init; }

    /// <summary>Ask for data digests.</summary>
    public bool DataDigest { get; init; }

    /// <summary>Pieces of memory that one command's data may lie in, 1 to 512.</summary>
    public int MaxVectors { get; init; } = 16;

    /// <summary>Bytes of the buffer that PDUs are received into.</summary>
    public uint ReceiveBytes { get; init; } = 128 * 1024;

    /// <summary>How long the connection and its set-up may take.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);
}
