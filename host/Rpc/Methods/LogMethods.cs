using Spindle.Host.Logging;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>What is logged.</summary>
internal sealed class LogMethods(LogSettings settings)
{
    [RpcMethod("log_get_print_level", Phase = RpcPhase.Any, Summary = "The level of what goes to standard error.", ParameterErrorText = "log_get_print_level requires no parameters")]
    public string GetPrintLevel() => settings.PrintLevel.Name();

    [RpcMethod("log_set_print_level", Phase = RpcPhase.Any, Summary = "Changes the level of what goes to standard error.")]
    public void SetPrintLevel(LogLevelParameters parameters) => settings.PrintLevel = Parse(parameters);

    [RpcMethod("log_get_level", Phase = RpcPhase.Any, Summary = "The level of what goes to the system's log.", ParameterErrorText = "log_get_level requires no parameters")]
    public string GetLevel() => settings.Level.Name();

    [RpcMethod("log_set_level", Phase = RpcPhase.Any, Summary = "Changes the level of what goes to the system's log.")]
    public void SetLevel(LogLevelParameters parameters) => settings.Level = Parse(parameters);

    [RpcMethod("log_get_flags", Phase = RpcPhase.Any, Summary = "The components, and whether their details are logged.", ParameterErrorText = "log_get_flags requires no parameters")]
    public Dictionary<string, bool> GetFlags() => settings.Flags.ToDictionary(f => f.Name, f => f.Enabled);

    [RpcMethod("log_set_flag", Phase = RpcPhase.Any, Summary = "Logs a component's details.")]
    public void SetFlag(LogFlagParameters parameters) => Switch(parameters, true);

    [RpcMethod("log_clear_flag", Phase = RpcPhase.Any, Summary = "Logs a component's details no more.")]
    public void ClearFlag(LogFlagParameters parameters) => Switch(parameters, false);

    static SpindleLogLevel Parse(LogLevelParameters parameters) => SpindleLogLevels.TryParse(parameters.Level, out var level) ? level
        : throw new RpcException(RpcErrorCode.InvalidParams, "invalid log level: it must be ERROR, WARNING, NOTICE, INFO or DEBUG");

    void Switch(LogFlagParameters parameters, bool enabled)
    {
        if (!settings.SetFlag(parameters.Flag, enabled))
        {
            throw new RpcException(RpcErrorCode.InvalidParams, $"invalid log flag: '{parameters.Flag}' is not known; log_get_flags lists them, and 'all' is all of them");
        }
    }
}

[RpcObject]
internal sealed class LogLevelParameters
{
    [RpcMember(Required = true, Summary = "ERROR, WARNING, NOTICE, INFO or DEBUG.")]
    public string Level { get; init; } = "";
}

[RpcObject]
internal sealed class LogFlagParameters
{
    [RpcMember(Required = true, Summary = "A component of log_get_flags, or 'all'.")]
    public string Flag { get; init; } = "";
}
