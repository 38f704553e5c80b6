using System.Diagnostics;
using Spindle.Host.Hosting;

namespace Spindle.Cli;

/// <summary>One line, rewritten each second, while a host serves and a person watches.</summary>
internal static class StatusLine
{
    private const string EraseLine = "\r\e[2K";

    public static async Task ShowAsync(SpindleHost host, TextWriter output, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        var before = await host.MeasureAsync();
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                var now = await host.MeasureAsync();
                var line = Format(before, now);
                int width = Math.Max(20, Console.WindowWidth - 1);
                output.Write(EraseLine + (line.Length > width ? line[..width] : line));
                before = now;
            }
        }
        catch (OperationCanceledException)
        {
            output.Write(EraseLine);
        }
    }

    internal static string Format(in HostLoad before, in HostLoad now)
    {
        double seconds = Math.Max(1e-3, (now.Ticks - before.Ticks) / (double)Stopwatch.Frequency);
        // A bdev that went took its counters along.
        double Rate(ulong a, ulong b) => b > a ? (b - a) / seconds : 0;
        double total = now.BusyTicks + now.IdleTicks - before.BusyTicks - before.IdleTicks;
        double busy = total > 0 ? Math.Clamp(100 * (now.BusyTicks - before.BusyTicks) / total, 0, 100) : 0;
        return $"{Rate(before.Operations, now.Operations):N0} IOPS   read {Rate(before.BytesRead, now.BytesRead) / (1 << 20):N1} MiB/s   "
            + $"write {Rate(before.BytesWritten, now.BytesWritten) / (1 << 20):N1} MiB/s   {now.Connections} connection{(now.Connections == 1 ? "" : "s")}   reactors {busy:N0}% busy";
    }
}
