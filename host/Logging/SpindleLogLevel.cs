using Microsoft.Extensions.Logging;

namespace Spindle.Host.Logging;

/// <summary>SPDK's log levels; the names on the wire are in capitals.</summary>
public enum SpindleLogLevel
{
    /// <summary>ERROR: something failed.</summary>
    Error = 0,
    /// <summary>WARNING: something is done without, or will fail.</summary>
    Warning = 1,
    /// <summary>NOTICE: what operators should know.</summary>
    Notice = 2,
    /// <summary>INFO: details of a component whose flag is set.</summary>
    Info = 3,
    /// <summary>DEBUG: all details of a component whose flag is set.</summary>
    Debug = 4,
}

/// <summary>Names and translations of log levels.</summary>
public static class SpindleLogLevels
{
    /// <summary>"ERROR", "WARNING", "NOTICE", "INFO" or "DEBUG".</summary>
    public static string Name(this SpindleLogLevel level) => level switch
    {
        SpindleLogLevel.Error => "ERROR",
        SpindleLogLevel.Warning => "WARNING",
        SpindleLogLevel.Notice => "NOTICE",
        SpindleLogLevel.Info => "INFO",
        _ => "DEBUG",
    };

    /// <summary>Reads a name, in any case, as SPDK does.</summary>
    public static bool TryParse(string name, out SpindleLogLevel level)
    {
        foreach (var candidate in Enum.GetValues<SpindleLogLevel>())
        {
            if (string.Equals(candidate.Name(), name, StringComparison.OrdinalIgnoreCase))
            {
                level = candidate;
                return true;
            }
        }
        level = default;
        return false;
    }

    /// <summary>Information is what SPDK calls a notice; Debug and Trace are its INFO and DEBUG, which need a component's flag.</summary>
    public static SpindleLogLevel FromLogLevel(LogLevel level) => level switch
    {
        LogLevel.Critical or LogLevel.Error => SpindleLogLevel.Error,
        LogLevel.Warning => SpindleLogLevel.Warning,
        LogLevel.Information => SpindleLogLevel.Notice,
        LogLevel.Debug => SpindleLogLevel.Info,
        _ => SpindleLogLevel.Debug,
    };
}
