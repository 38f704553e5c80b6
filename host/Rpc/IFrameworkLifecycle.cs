namespace Spindle.Host.Rpc;

/// <summary>What RPC methods ask of the host's life cycle. On the app thread.</summary>
public interface IFrameworkLifecycle
{
    /// <summary>Initializes the framework: <c>framework_start_init</c>. The phase of the method registry is
    /// <see cref="Spindle.Rpc.RpcPhase.Runtime"/> when this returns.</summary>
    Task StartInitAsync();

    /// <summary>Completes when the framework is initialized: <c>framework_wait_init</c>.</summary>
    Task WaitInitAsync();

    /// <summary>Acts as if the process had been sent a signal: <c>spdk_kill_instance</c>. Only starts the shutdown, so that the call is answered.</summary>
    /// <param name="signal">"SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP", "SIGKILL" or "SIGUSR1".</param>
    void RequestShutdown(string signal);
}
