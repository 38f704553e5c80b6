using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Spindle.PluginTests.Support;

/// <summary>Keeps what a host logs.</summary>
public sealed class LogList : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<(LogLevel Level, string Text)> _lines = new();

    public IEnumerable<string> Lines => _lines.Select(line => line.Text);

    public bool Has(params string[] parts) => _lines.Any(line => parts.All(part => line.Text.Contains(part, StringComparison.Ordinal)));

    /// <summary>Waits for a line that has all parts.</summary>
    public async Task WaitForAsync(params string[] parts)
    {
        for (int i = 0; i < 500; i++)
        {
            if (Has(parts)) return;
            await Task.Delay(20);
        }
        Assert.Fail($"No line has {string.Join(" and ", parts)}:\n{string.Join("\n", Lines)}");
    }

    public ILogger CreateLogger(string categoryName) => this;
    public void AddProvider(ILoggerProvider provider) { }
    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
    public bool IsEnabled(LogLevel logLevel) => true;
    public void Dispose() { }

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue((logLevel, formatter(state, exception)));
}
