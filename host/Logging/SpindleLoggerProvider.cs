using Microsoft.Extensions.Logging;

namespace Spindle.Host.Logging;

/// <summary>Loggers that write to standard error and the system's log by <see cref="LogSettings"/>. Logging never blocks, so reactors may.</summary>
[ProviderAlias("Spindle")]
public sealed class SpindleLoggerProvider : ILoggerProvider
{
    readonly LogSettings _settings;
    readonly LogWriter _writer;
    readonly bool _hasSystemLog;

    /// <param name="settings">What is logged.</param>
    /// <param name="output">Where lines go; null for standard error.</param>
    /// <param name="useSystemLog">Send lines to /dev/log too, where it exists.</param>
    public SpindleLoggerProvider(LogSettings settings, TextWriter? output = null, bool useSystemLog = false)
    {
        _settings = settings;
        var systemLog = useSystemLog ? SystemLog.Open() : null;
        _hasSystemLog = systemLog is not null;
        _writer = new LogWriter(output ?? Console.Error, systemLog);
    }

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => new SpindleLogger(this, _settings.Flag(LogSettings.ComponentOf(categoryName)));

    /// <inheritdoc/>
    public void Dispose() => _writer.Dispose();

    sealed class SpindleLogger(SpindleLoggerProvider provider, LogFlag flag) : ILogger
    {
        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None && Targets(SpindleLogLevels.FromLogLevel(logLevel)) != default;

        (bool Print, bool System) Targets(SpindleLogLevel level)
        {
            if (level >= SpindleLogLevel.Info && !flag.Enabled)
            {
                return default;
            }
            return (level <= provider._settings.PrintLevel, provider._hasSystemLog && level <= provider._settings.Level);
        }

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var level = SpindleLogLevels.FromLogLevel(logLevel);
            var (print, system) = Targets(level);
            if (logLevel == LogLevel.None || (!print && !system))
            {
                return;
            }
            var text = formatter(state, exception);
            if (exception is not null)
            {
                text = $"{text}\n{exception}";
            }
            provider._writer.Add(new LogLine(DateTime.UtcNow, level, flag.Name, text, print, system));
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
    }
}
