using System.Globalization;
using System.Text;
using System.Threading.Channels;

namespace Spindle.Host.Logging;

/// <summary>One line on its way out.</summary>
internal readonly record struct LogLine(DateTime Time, SpindleLogLevel Level, string Component, string Text, bool Print, bool System);

/// <summary>Writes log lines on a thread of its own. Adding one never waits: when the queue is full, the line is dropped and counted, so that
/// a terminal that has stopped scrolling stops nothing else.</summary>
internal sealed class LogWriter : IDisposable
{
    const int Capacity = 8192;

    readonly Channel<LogLine> _lines = Channel.CreateBounded<LogLine>(new BoundedChannelOptions(Capacity) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });
    readonly TextWriter _output;
    readonly SystemLog? _systemLog;
    readonly Thread _thread;
    long _dropped;

    public LogWriter(TextWriter output, SystemLog? systemLog)
    {
        (_output, _systemLog) = (output, systemLog);
        _thread = new Thread(Run) { IsBackground = true, Name = "log" };
        _thread.Start();
    }

    /// <summary>Adds a line. Never blocks.</summary>
    public void Add(in LogLine line)
    {
        if (!_lines.Writer.TryWrite(line))
        {
            Interlocked.Increment(ref _dropped);
        }
    }

    void Run()
    {
        var text = new StringBuilder();
        var reader = _lines.Reader;
        while (reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (text.Length < 64 * 1024 && reader.TryRead(out var line))
            {
                if (line.Print)
                {
                    Format(text, line);
                }
                if (line.System)
                {
                    _systemLog?.Write(line);
                }
            }
            var dropped = Interlocked.Exchange(ref _dropped, 0);
            if (dropped > 0)
            {
                Format(text, new LogLine(DateTime.UtcNow, SpindleLogLevel.Warning, "logging", $"{dropped} messages were dropped: they came faster than they could be written.", true, false));
            }
            Write(text);
        }
    }

    void Write(StringBuilder text)
    {
        try
        {
            _output.Write(text.ToString());
            _output.Flush();
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // There is nowhere left to say it.
        }
        text.Clear();
    }

    internal static void Format(StringBuilder text, in LogLine line)
    {
        text.Append(line.Time.ToString("yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture)).Append(' ')
            .Append(line.Level.Name()).Append(' ').Append(line.Component).Append(": ");
        AppendText(text, line.Text);
        text.Append('\n');
    }

    /// <summary>Further lines are indented, and control characters shown as '?': a name that came over the wire can fake no line, nor steer a terminal.</summary>
    static void AppendText(StringBuilder text, string message)
    {
        foreach (var c in message.AsSpan().TrimEnd())
        {
            switch (c)
            {
                case '\n':
                    text.Append("\n    ");
                    break;
                case '\r':
                    break;
                case '\t':
                    text.Append(c);
                    break;
                default:
                    text.Append(char.IsControl(c) ? '?' : c);
                    break;
            }
        }
    }

    /// <summary>Writes what is queued, and ends the thread.</summary>
    public void Dispose()
    {
        if (_lines.Writer.TryComplete())
        {
            _thread.Join(TimeSpan.FromSeconds(2));
            _systemLog?.Dispose();
        }
    }
}
