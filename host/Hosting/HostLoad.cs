using System.Diagnostics;
using Spindle.Bdevs;
using Spindle.Host.Modules;
using Spindle.Modules;

namespace Spindle.Host.Hosting;

/// <summary>What a host has done so far: two of them give rates.</summary>
/// <param name="Ticks">When it was measured, in Stopwatch ticks.</param>
/// <param name="Operations">I/Os completed by the bdevs that are used from outside: those no other bdev stands on.</param>
/// <param name="BytesRead">Bytes read from them.</param>
/// <param name="BytesWritten">Bytes written to them.</param>
/// <param name="BusyTicks">Time the reactors were at work, in ticks.</param>
/// <param name="IdleTicks">Time they were not.</param>
/// <param name="Connections">Connections that the front-ends serve now.</param>
public readonly record struct HostLoad(long Ticks, ulong Operations, ulong BytesRead, ulong BytesWritten, long BusyTicks, long IdleTicks, int Connections);

public sealed partial class SpindleHost
{
    /// <summary>Measures the load. On any thread.</summary>
    public async Task<HostLoad> MeasureAsync()
    {
        ulong operations = 0, read = 0, written = 0;
        int connections = 0;
        await InvokeAsync(async () =>
        {
            foreach (var module in Modules.Modules)
                if (module is { State: ModuleState.Running, Instance: FrontEnd frontEnd }) connections += frontEnd.ConnectionCount;
            foreach (var bdev in Bdevs.All)
            {
                try
                {
                    if (HasBdevOnTop(bdev)) continue;
                    var statistics = await BdevLayer.GetStatisticsAsync(bdev);
                    operations += statistics.Reads + statistics.Writes + statistics.Unmaps + statistics.Copies;
                    read += statistics.BytesRead;
                    written += statistics.BytesWritten;
                }
                catch (SpindleException)
                {
                    // It went while it was asked.
                }
            }
        }).ConfigureAwait(false);
        long busy = 0, idle = 0;
        foreach (var reactor in _reactors.Reactors)
        {
            busy += Volatile.Read(ref reactor.BusyTicks);
            idle += Volatile.Read(ref reactor.IdleTicks);
        }
        return new HostLoad(Stopwatch.GetTimestamp(), operations, read, written, busy, idle, connections);
    }

    private bool HasBdevOnTop(Bdev bdev) => Bdevs.All.Any(other => other.BaseBdevNames.Contains(bdev.Name));
}
