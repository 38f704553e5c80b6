using Spindle.Host.Rpc.Configuration;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>The life of the framework, its subsystems and their configuration.</summary>
internal sealed class FrameworkMethods(IFrameworkLifecycle lifecycle, FrameworkSubsystems subsystems)
{
    // Signals by name and number, as kill(1) takes them.
    static readonly (string Name, string Number)[] s_signals = [("SIGINT", "2"), ("SIGTERM", "15"), ("SIGQUIT", "3"), ("SIGHUP", "1"), ("SIGKILL", "9"), ("SIGUSR1", "10")];

    [RpcMethod("spdk_kill_instance", Summary = "Sends the process a signal.", ParameterErrorCode = RpcErrorCode.InvalidParams, ParameterErrorText = "Invalid parameters")]
    public void KillInstance(KillInstanceParameters parameters)
    {
        var signal = s_signals.FirstOrDefault(s => s.Name == parameters.SigName || s.Number == parameters.SigName).Name
            ?? throw new RpcException(RpcErrorCode.InvalidParams, $"Invalid parameters: sig_name must be one of {string.Join(", ", s_signals.Select(s => s.Name))}");
        lifecycle.RequestShutdown(signal);
    }

    [RpcMethod("framework_start_init", Phase = RpcPhase.Startup, Summary = "Initializes the framework after --wait-for-rpc.",
        ParameterErrorText = "framework_start_init requires no parameters")]
    public Task StartInitAsync() => lifecycle.StartInitAsync();

    [RpcMethod("framework_wait_init", Phase = RpcPhase.Any, Summary = "Answers when the framework is initialized.")]
    public Task WaitInitAsync() => lifecycle.WaitInitAsync();

    [RpcMethod("framework_get_subsystems", Summary = "The subsystems in the order in which their configurations load.",
        ParameterErrorText = "'framework_get_subsystems' requires no arguments")]
    public IReadOnlyList<SubsystemReply> GetSubsystems() => [.. subsystems.All.Select(s => new SubsystemReply { Subsystem = s.Name, DependsOn = s.DependsOn })];

    [RpcMethod("framework_get_config", Summary = "The calls that bring a subsystem back to its present state.",
        ParameterErrorCode = RpcErrorCode.InvalidParams, ParameterErrorText = "Invalid arguments")]
    public IRpcResult GetConfig(GetConfigParameters parameters) => subsystems.Save(parameters.Name)
        ?? throw new RpcException(RpcErrorCode.InvalidParams, $"Subsystem '{parameters.Name}' not found");
}

[RpcObject]
internal sealed class KillInstanceParameters
{
    [RpcMember(Required = true, Summary = "SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGKILL or SIGUSR1.")]
    public string SigName { get; init; } = "";
}

[RpcObject]
internal sealed class SubsystemReply
{
    public string Subsystem { get; init; } = "";

    public IReadOnlyList<string> DependsOn { get; init; } = [];
}

[RpcObject]
internal sealed class GetConfigParameters
{
    [RpcMember(Required = true, Summary = "The subsystem's name.")]
    public string Name { get; init; } = "";
}
