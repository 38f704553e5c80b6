namespace Spindle.Host.Rpc;

/// <summary>Where the control socket is, and what clients may use. What SPDK v26.01 allows is in parentheses.</summary>
public sealed record RpcServerOptions
{
    /// <summary>The path of the Unix socket.</summary>
    public string SocketPath { get; init; } = "/var/tmp/spdk.sock";

    /// <summary>Bytes of the largest request, or batch of them (32 KiB).</summary>
    public int MaxRequestBytes { get; init; } = 4 << 20;

    /// <summary>Bytes of the largest reply (32 MiB).</summary>
    public int MaxReplyBytes { get; init; } = 64 << 20;

    /// <summary>Levels of nesting in a request (64).</summary>
    public int MaxDepth { get; init; } = 64;

    /// <summary>Connections at a time (64). Further ones get an error and are closed.</summary>
    public int MaxConnections { get; init; } = 1024;

    /// <summary>Calls running at a time on one connection. At the limit, no more is read from it until some have ended.</summary>
    public int MaxCallsPerConnection { get; init; } = 4096;

    /// <summary>Calls running at a time in all. Beyond it, a connection with more than a few waits.</summary>
    public int MaxCalls { get; init; } = 32768;

    /// <summary>Bytes of requests being run and replies not yet taken by the client, on one connection. At the limit, no more is read from it.</summary>
    public long MaxBytesPerConnection { get; init; } = 32 << 20;

    /// <summary>The same in all connections. Beyond it, a connection with more than a little waits.</summary>
    public long MaxBytes { get; init; } = 512 << 20;

    /// <summary>How long replies that are ready may take to be sent when the server stops.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(1);
}
