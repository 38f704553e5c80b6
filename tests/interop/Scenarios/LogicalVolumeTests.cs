using System.Text.Json;
using Spindle.InteropTests.Guest;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>A file system on a thin clone, its snapshot mounted beside it, and a host that dies in mid-write: everything that was synced is there, and the snapshot is what it was.</summary>
[Collection(InitiatorGuest.Name), Trait("Category", "Slow")]
public sealed class LogicalVolumeTests(SharedGuest shared)
{
    static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_clone_and_its_snapshot_outlive_a_SIGKILL_in_mid_write()
    {
        var guest = await shared.GetAsync(Ct);
        var folder = Directory.CreateTempSubdirectory("spindle-lvol-");
        try
        {
            string disk = Path.Combine(folder.FullName, "disk"), copy = Path.Combine(folder.FullName, "copy"), configuration = Path.Combine(folder.FullName, "config.json");
            await using (var file = File.Create(disk)) file.SetLength(192 << 20);
            var subsystem = new ServedSubsystem();
            (string Method, object Parameters)[] bdevs = [("bdev_aio_create", new { filename = disk, name = "Aio0", block_size = 512 })];
            subsystem.WriteConfiguration(configuration, bdevs);
            await using var spindle = await SpindleProcess.StartAsync(new SpindleOptions { Config = configuration }, Ct);
            await spindle.CallAsync("bdev_lvol_create_lvstore", new { bdev_name = "Aio0", lvs_name = "vg", cluster_sz = 65536 }, Ct);
            await spindle.CallAsync("bdev_lvol_create", new { lvs_name = "vg", lvol_name = "base", size_in_mib = 64, thin_provision = true }, Ct);
            await AddNamespaceAsync(spindle, subsystem, 1, "vg/base");

            (await guest.RunAsync(SharedGuest.Script(
                $$"""
                {{subsystem.Connect("--reconnect-delay=1 --ctrl-loss-tmo=600 --keep-alive-tmo=5")}} >&2
                d=$(device {{subsystem.Nqn}} 1)
                mkfs.ext4 -q -F $d; mkdir -p /mnt/a /mnt/s; mount $d /mnt/a; mkdir /mnt/a/d{0,1,2,3,4,5,6}
                for i in $(seq 40); do head -c $(((i * 7919) % 90000 + 1)) /dev/urandom >/mnt/a/first$i; done
                (cd /mnt/a && sha256sum first*) >/tmp/first
                umount /mnt/a
                """), Patience.Step, Ct)).Succeeded();
            await spindle.CallAsync("bdev_lvol_snapshot", new { lvol_name = "vg/base", snapshot_name = "gold" }, Ct);
            await spindle.CallAsync("bdev_lvol_clone", new { snapshot_name = "vg/gold", clone_name = "work" }, Ct);
            await AddNamespaceAsync(spindle, subsystem, 2, "vg/gold");
            await AddNamespaceAsync(spindle, subsystem, 3, "vg/work");
            // From now on a restart finds the store on the disk and serves the volumes again.
            subsystem.WriteConfiguration(configuration, bdevs, "vg/base", "vg/gold", "vg/work");
            (await guest.RunAsync(SharedGuest.Script(
                $$"""
                s=$(device {{subsystem.Nqn}} 2); w=$(device {{subsystem.Nqn}} 3)
                mount -o ro,noload $s /mnt/s; mount $w /mnt/a
                (cd /mnt/s && sha256sum --quiet -c /tmp/first); (cd /mnt/a && sha256sum --quiet -c /tmp/first)
                sha256sum <$s >/tmp/snapshot
                """), Patience.Step, Ct)).Succeeded();
            await File.WriteAllTextAsync(Path.Combine(guest.SharedFolder, "lvol-writer.sh"),
                """
                for ((i = 0; ; i++)); do
                  [ ! -e /tmp/stop ] || exit 0
                  f=/mnt/a/d$((i % 7))/$i
                  head -c $(((i * 3571) % 60000 + 1)) /dev/urandom >$f && sync $f /mnt/a/d$((i % 7)) || exit 1
                  sha256sum $f >>/tmp/log
                  echo $i
                done
                """, Ct);
            var writer = await guest.StartJobAsync($"{SharedGuest.IgnoreBrokenConnections}; exec bash {LinuxGuest.GuestSharedFolder}/lvol-writer.sh");
            int Written() => writer.Output.Count(c => c == '\n');

            async Task WriteMoreAsync(int files)
            {
                int goal = Written() + files;
                await Patience.UntilAsync(() => Task.FromResult(writer.Completion.IsCompleted || Written() >= goal), $"{files} more files", Ct);
                Assert.False(writer.Completion.IsCompleted, "the writer ended: " + writer.Error);
            }

            for (int round = 1; round <= 2; round++)
            {
                await WriteMoreAsync(12);
                await spindle.KillAsync();
                (await guest.RunAsync($"sleep 1; cp /tmp/log /tmp/log{round}", Patience.Step, Ct)).Succeeded();
                File.Copy(disk, copy, overwrite: true);
                await spindle.StartAgainAsync(Ct);
                await WriteMoreAsync(5);
            }

            (await guest.RunAsync("touch /tmp/stop", Patience.Step, Ct)).Succeeded();
            (await writer.WaitAsync(Patience.Load, Ct)).Succeeded();
            (await guest.RunAsync(SharedGuest.Script(
                $$"""
                umount /mnt/a /mnt/s
                echo 3 >/proc/sys/vm/drop_caches
                s=$(device {{subsystem.Nqn}} 2); w=$(device {{subsystem.Nqn}} 3)
                sha256sum <$s | cmp - /tmp/snapshot
                mount -o ro,noload $s /mnt/s; mount -o ro $w /mnt/a
                (cd /mnt/s && sha256sum --quiet -c /tmp/first); (cd /mnt/a && sha256sum --quiet -c /tmp/first)
                sha256sum --quiet -c /tmp/log
                umount /mnt/a /mnt/s
                e2fsck -f -n $w >&2; e2fsck -f -n $s >&2
                nvme disconnect -n {{subsystem.Nqn}} >&2
                """), Patience.Load, Ct)).Succeeded();
            var stores = await spindle.CallAsync("bdev_lvol_get_lvstores", null, Ct);
            Assert.True(stores[0].GetProperty("free_clusters").GetInt32() < stores[0].GetProperty("total_data_clusters").GetInt32());

            // The disk as the dead host left it, checked without a host: interrupted, and nothing worse.
            var check = await CommandAsync(["fsck", copy, "--json", "--no-progress"]);
            Assert.Equal((4, "interrupted"), (check.ExitCode, JsonDocument.Parse(check.Output).RootElement.GetProperty("state").GetString()));
            check = await CommandAsync(["fsck", copy, "--repair", "--no-progress"]);
            Assert.True(check.ExitCode == 1, check.Output);
        }
        finally { folder.Delete(recursive: true); }
    }

    static async Task AddNamespaceAsync(SpindleProcess spindle, ServedSubsystem subsystem, int nsid, string bdev)
    {
        var (method, parameters) = subsystem.Namespace(nsid, bdev);
        await spindle.CallAsync(method, parameters, Ct);
    }

    static async Task<(int ExitCode, string Output)> CommandAsync(string[] arguments)
    {
        using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(Repository.Spindle, arguments) { RedirectStandardOutput = true })!;
        string output = await process.StandardOutput.ReadToEndAsync(Ct);
        await process.WaitForExitAsync(Ct);
        return (process.ExitCode, output);
    }
}
