using Spindle.Host.Rpc;

namespace Spindle.Host.Hosting;

/// <summary>The turning points of a host's life, for those who wait for them or cause them.</summary>
internal sealed class HostLifecycle : IFrameworkLifecycle
{
    private readonly TaskCompletionSource _initRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _initialized = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _shutdown = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when initialization was asked for.</summary>
    public Task InitRequested => _initRequested.Task;

    /// <summary>Ends when the framework is initialized, or with the reason why not.</summary>
    public Task Initialized => _initialized.Task;

    /// <summary>Ends with the signal's name when the host was asked to end.</summary>
    public Task<string> ShutdownRequested => _shutdown.Task;

    public Task StartInitAsync()
    {
        _initRequested.TrySetResult();
        return _initialized.Task;
    }

    public Task WaitInitAsync() => _initialized.Task;

    public void RequestShutdown(string signal) => _shutdown.TrySetResult(signal);

    /// <summary>The framework is initialized.</summary>
    public void SetInitialized() => _initialized.TrySetResult();

    /// <summary>The framework cannot be initialized.</summary>
    public void SetFailed(SpindleException reason)
    {
        _initialized.TrySetException(reason);
        _ = _initialized.Task.Exception; // Seen, even when nobody waits.
    }
}
