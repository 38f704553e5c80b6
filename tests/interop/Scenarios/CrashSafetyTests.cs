using Spindle.InteropTests.Guest;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>A host that dies in mid-write: what it had acknowledged before an fsync returned is there, and its initiator finds it again.</summary>
[Collection(InitiatorGuest.Name), Trait("Category", "Slow")]
public sealed class CrashSafetyTests(SharedGuest shared)
{
    static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task After_a_SIGKILL_in_mid_write_the_initiator_returns_and_every_synced_file_is_there()
    {
        var guest = await shared.GetAsync(Ct);
        var folder = Directory.CreateTempSubdirectory("spindle-crash-");
        try
        {
            string disk = Path.Combine(folder.FullName, "disk"), copy = Path.Combine(folder.FullName, "copy"), configuration = Path.Combine(folder.FullName, "config.json");
            await using (var file = File.Create(disk)) file.SetLength(64 << 20);
            var subsystem = new ServedSubsystem();
            subsystem.WriteConfiguration(configuration, [("bdev_aio_create", new { filename = disk, name = "Aio0", block_size = 512 })], "Aio0");
            await using var spindle = await SpindleProcess.StartAsync(new SpindleOptions { Config = configuration }, Ct);

            // One file after another, each synced before it is recorded: in memory, where the record cannot depend on the disk.
            var script = Path.Combine(guest.SharedFolder, "writer.sh");
            await File.WriteAllTextAsync(script,
                """
                for ((i = 0; ; i++)); do
                  [ ! -e /tmp/stop ] || exit 0
                  f=/mnt/a/d$((i % 7))/$i
                  head -c $(((i * 3571) % 60000 + 1)) /dev/urandom >$f && sync $f /mnt/a/d$((i % 7)) || exit 1
                  sha256sum $f >>/tmp/log
                  echo $i
                done
                """, Ct);
            (await guest.RunAsync(SharedGuest.Script(
                $$"""
                {{subsystem.Connect("--reconnect-delay=1 --ctrl-loss-tmo=600 --keep-alive-tmo=5")}} >&2
                d=$(device {{subsystem.Nqn}} 1)
                mkfs.ext4 -q -F $d; mkdir -p /mnt/a; mount $d /mnt/a; mkdir /mnt/a/d{0,1,2,3,4,5,6}; sync
                """), Patience.Step, Ct)).Succeeded();
            var writer = await guest.StartJobAsync($"{SharedGuest.IgnoreBrokenConnections}; exec bash {LinuxGuest.GuestSharedFolder}/writer.sh");
            int Written() => writer.Output.Count(c => c == '\n');

            async Task WriteMoreAsync(int files)
            {
                var goal = Written() + files;
                await Patience.UntilAsync(() => Task.FromResult(writer.Completion.IsCompleted || Written() >= goal), $"{files} more files", Ct);
                Assert.False(writer.Completion.IsCompleted, "the writer ended: " + writer.Error);
            }

            for (var round = 1; round <= 2; round++)
            {
                await WriteMoreAsync(12);
                await spindle.KillAsync();
                // With nobody there to acknowledge anything, what is recorded now was acknowledged by the host that is dead.
                (await guest.RunAsync($"sleep 1; cp /tmp/log /tmp/log{round}", Patience.Step, Ct)).Succeeded();
                File.Copy(disk, copy, overwrite: true);
                await spindle.StartAgainAsync(Ct);
                await WriteMoreAsync(5); // by itself: the kernel reconnects and sends again what it got no answer for

                // The disk as the dead host left it.
                await spindle.CallAsync("bdev_aio_create", new { filename = copy, name = "Copy", block_size = 512 }, Ct);
                var (method, parameters) = subsystem.Namespace(2, "Copy");
                await spindle.CallAsync(method, parameters, Ct);
                (await guest.RunAsync(SharedGuest.Script(
                    $$"""
                    d=$(device {{subsystem.Nqn}} 2)
                    mkdir -p /mnt/b; mount $d /mnt/b # replays the journal
                    test -s /tmp/log{{round}}
                    sed 's,/mnt/a/,/mnt/b/,' /tmp/log{{round}} | sha256sum --quiet -c
                    umount /mnt/b
                    e2fsck -f -n $d >&2
                    """), Patience.Load, Ct)).Succeeded();
                await spindle.CallAsync("nvmf_subsystem_remove_ns", new { nqn = subsystem.Nqn, nsid = 2 }, Ct);
                await spindle.CallAsync("bdev_aio_delete", new { name = "Copy" }, Ct);
            }

            // The writer has noticed nothing; all that it recorded over all the deaths is there.
            (await guest.RunAsync("touch /tmp/stop", Patience.Step, Ct)).Succeeded();
            (await writer.WaitAsync(Patience.Load, Ct)).Succeeded();
            (await guest.RunAsync(SharedGuest.Script(
                $$"""
                umount /mnt/a
                echo 3 >/proc/sys/vm/drop_caches
                d=$(device {{subsystem.Nqn}} 1)
                mount -o ro $d /mnt/a
                sha256sum --quiet -c /tmp/log
                umount /mnt/a
                e2fsck -f -n $d >&2
                nvme disconnect -n {{subsystem.Nqn}} >&2
                wc -l </tmp/log
                """), Patience.Load, Ct)).Succeeded();
        }
        finally { folder.Delete(recursive: true); }
    }
}
