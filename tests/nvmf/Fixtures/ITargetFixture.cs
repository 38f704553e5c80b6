using System.Net;
using System.Text.Json;

namespace Spindle.NvmfTests.Fixtures;

/// <summary>
/// A target to test against, however it is started. It serves <see cref="Subnqn"/> to any host, with namespace 1 (512-byte blocks) and
/// namespace 2 (4,096-byte blocks); <see cref="RestrictedSubnqn"/> to <see cref="AllowedHostnqn"/> alone; and the discovery subsystem.
/// </summary>
public interface ITargetFixture : IAsyncDisposable
{
    /// <summary>Where all of it listens.</summary>
    IPEndPoint Endpoint { get; }

    string Subnqn { get; }
    string RestrictedSubnqn { get; }
    string AllowedHostnqn { get; }

    /// <summary>Calls an RPC of the target.</summary>
    Task<JsonElement> RpcAsync(string method, object? parameters = null);

    /// <summary>Fails unless the target runs and the connection that was there before the test still does I/O.</summary>
    Task AssertHealthyAsync();

    /// <summary>Whether it still runs.</summary>
    bool IsRunning { get; }
}

/// <summary>What a test may want otherwise than usual.</summary>
public sealed record TargetOptions
{
    /// <summary>Transport option c2h_success.</summary>
    public bool C2hSuccess { get; init; } = true;

    /// <summary>Transport option in_capsule_data_size, bytes.</summary>
    public int InCapsuleDataSize { get; init; } = 4096;

    /// <summary>Transport option max_io_size, bytes.</summary>
    public int MaxIoSize { get; init; } = 131072;

    /// <summary>Transport option max_queue_depth.</summary>
    public int MaxQueueDepth { get; init; } = 128;
}
