using System.Diagnostics;
using Newtonsoft.Json.Linq;
using Spindle.Bench.Contenders;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Scenarios;

/// <summary>How long a store of volumes that was not shut down takes to come back: from the creation of the bdev with it to its volumes. It lies in a sparse file in memory, with
/// clusters of 1 MiB and a metadata page for each, all of which are read; in it are thin volumes with a snapshot each. Each contender has a store that it made itself, by the same calls, and whose process was killed.</summary>
/// <param name="gibibytes">Size of the store.</param>
public sealed class LvolRecoveryScenario(int gibibytes)
    : Scenario($"process/lvol-recovery/{gibibytes}g", $"recovery of an interrupted store of {gibibytes} GiB with clusters of 1 MiB, scaled to a TiB", Metric.SecondsPerTebibyte)
{
    private const int Volumes = 16;

    public override async Task<IMeasurement?> OpenAsync(Contender contender, BenchSettings settings, CancellationToken cancellationToken)
    {
        if (!Directory.Exists("/dev/shm")) throw new BenchException("process/lvol-recovery needs /dev/shm, which this machine does not have.");
        var measurement = new Measurement(contender, settings, gibibytes);
        try
        {
            await measurement.MakeAsync(cancellationToken);
            return measurement;
        }
        catch
        {
            await measurement.DisposeAsync();
            throw;
        }
    }

    private sealed class Measurement(Contender contender, BenchSettings settings, int gibibytes) : IMeasurement
    {
        private readonly string _file = Path.Combine("/dev/shm", $"{Path.GetFileName(settings.Work)}-{Path.GetFileName(settings.NewPath("store"))}");

        private string Create => new JObject { ["name"] = "Store0", ["filename"] = _file, ["block_size"] = 4096 }.ToString();

        public async Task MakeAsync(CancellationToken cancellationToken)
        {
            await using (var file = File.Create(_file)) file.SetLength((long)gibibytes << 30);
            await using var target = await Target.StartAsync(contender, Cores.Target, null, settings, cancellationToken);
            await target.CallAsync("bdev_aio_create", Create, cancellationToken);
            // Nothing of the data region is written, so that the file stays small.
            await target.CallAsync("bdev_lvol_create_lvstore", """{"bdev_name":"Store0","lvs_name":"vg","cluster_sz":1048576,"clear_method":"none"}""", cancellationToken);
            // Without clusters: a thick volume's are cleared, which would fill the memory.
            for (int i = 0; i < Volumes; i++)
            {
                var volume = new JObject { ["lvs_name"] = "vg", ["lvol_name"] = $"v{i}", ["size_in_mib"] = (gibibytes << 10) / Volumes / 2, ["clear_method"] = "none", ["thin_provision"] = true };
                await target.CallAsync("bdev_lvol_create", volume.ToString(), cancellationToken);
                await target.CallAsync("bdev_lvol_snapshot", new JObject { ["lvol_name"] = $"vg/v{i}", ["snapshot_name"] = $"s{i}" }.ToString(), cancellationToken);
            }
            Process.GetProcessById(target.Pid).Kill();
        }

        public async Task<Sample> RunAsync(CancellationToken cancellationToken)
        {
            string copy = _file + ".copy";
            try
            {
                File.Delete(copy);
                using (var cp = Process.Start("cp", ["--sparse=always", _file, copy])) await cp.WaitForExitAsync(cancellationToken);
                await using var target = await Target.StartAsync(contender, Cores.Target, null, settings, cancellationToken);
                var clock = Stopwatch.StartNew();
                await target.CallAsync("bdev_aio_create", Create.Replace(_file, copy, StringComparison.Ordinal), cancellationToken);
                await target.CallAsync("bdev_wait_for_examine", null, cancellationToken);
                var found = (JArray)await target.CallAsync("bdev_lvol_get_lvols", null, cancellationToken);
                double seconds = clock.Elapsed.TotalSeconds;
                if (found.Count != 2 * Volumes) throw new BenchException($"{contender} found {found.Count} volumes of {2 * Volumes} in the interrupted store.");
                return new Sample { [Metric.Seconds] = seconds, [Metric.SecondsPerTebibyte] = seconds * 1024 / gibibytes };
            }
            finally
            {
                File.Delete(copy);
            }
        }

        public ValueTask DisposeAsync()
        {
            File.Delete(_file);
            return ValueTask.CompletedTask;
        }
    }
}
