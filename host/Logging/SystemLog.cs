using System.Net.Sockets;
using System.Text;

namespace Spindle.Host.Logging;

/// <summary>The system's log: datagrams to /dev/log (RFC 3164, 4.1, as glibc's syslog sends them). Lines are lost while nobody listens there.</summary>
internal sealed class SystemLog : IDisposable
{
    const string Path = "/dev/log";
    const int Facility = 3 << 3; // system daemons
    const int MaxBytes = 2048;

    readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };

    /// <summary>The log; null where the system has none.</summary>
    public static SystemLog? Open()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists(Path))
        {
            return null;
        }
        var log = new SystemLog();
        try
        {
            log._socket.Connect(new UnixDomainSocketEndPoint(Path));
            return log;
        }
        catch (SocketException)
        {
            log.Dispose();
            return null;
        }
    }

    /// <summary>Sends a line; never blocks.</summary>
    public void Write(in LogLine line)
    {
        var severity = line.Level switch
        {
            SpindleLogLevel.Error => 3,
            SpindleLogLevel.Warning => 4,
            SpindleLogLevel.Notice => 5,
            SpindleLogLevel.Info => 6,
            _ => 7,
        };
        var bytes = Encoding.UTF8.GetBytes($"<{Facility | severity}>spindle[{System.Environment.ProcessId}]: {line.Component}: {line.Text}");
        try
        {
            _socket.Send(bytes.AsSpan(0, Math.Min(bytes.Length, MaxBytes)));
        }
        catch (SocketException)
        {
            // Its queue is full, or it has gone; standard error has the line as well.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();
}
