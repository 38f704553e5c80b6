using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>The orderly end of a host that an initiator is writing to.</summary>
[Collection(InitiatorGuest.Name), Trait("Category", "Slow")]
public sealed class ShutdownTests(SharedGuest shared)
{
    static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory, InlineData(PosixSignal.SIGTERM), InlineData(PosixSignal.SIGINT)]
    public async Task A_signal_under_load_ends_it_in_time_with_status_0_and_leaves_nothing(PosixSignal signal)
    {
        var guest = await shared.GetAsync(Ct);
        var folder = Directory.CreateTempSubdirectory("spindle-end-");
        try
        {
            string disk = Path.Combine(folder.FullName, "disk"), configuration = Path.Combine(folder.FullName, "config.json");
            await using (var file = File.Create(disk)) file.SetLength(32 << 20);
            var subsystem = new ServedSubsystem();
            subsystem.WriteConfiguration(configuration,
                [
                    ("bdev_aio_create", new { filename = disk, name = "Aio0", block_size = 512 }),
                    // Memory comes back empty, as another disk unless it is told to be the same one.
                    ("bdev_malloc_create", new { name = "Malloc0", num_blocks = 65536, block_size = 512, uuid = Guid.NewGuid().ToString() }),
                    ("bdev_passthru_create", new { name = "Demo0", base_bdev_name = "Malloc0" }),
                ], "Aio0", "Demo0");
            await using var spindle = await SpindleProcess.StartAsync(new SpindleOptions { Config = configuration }, Ct);
            (await guest.RunAsync(SharedGuest.Script(
                $"{subsystem.Connect("--reconnect-delay=1 --ctrl-loss-tmo=600")} >&2; device {subsystem.Nqn} 1; device {subsystem.Nqn} 2"), Patience.Step, Ct)).Succeeded();
            var load = await guest.StartJobAsync(SharedGuest.Script(
                $$"""
                {{SharedGuest.IgnoreBrokenConnections}}
                a=$(device {{subsystem.Nqn}} 1); b=$(device {{subsystem.Nqn}} 2)
                exec fio --size=2m --rw=randwrite --bs=4k --ioengine=libaio --iodepth=16 --direct=1 --output-format=terse \
                  --name=file --filename=$a --verify=crc32c --verify_fatal=1 --loops=2 --name=memory --filename=$b --time_based --runtime=20
                """));
            async Task<long> WritesAsync(string bdev) =>
                (await spindle.CallAsync("bdev_get_iostat", new { name = bdev }, Ct)).GetProperty("bdevs")[0].GetProperty("num_write_ops").GetInt64();
            await Patience.UntilAsync(async () => await WritesAsync("Aio0") > 50 && await WritesAsync("Demo0") > 50, "both loads run", Ct);

            await Machine.EndAsync(spindle, signal);
            Assert.False(File.Exists(spindle.RpcSocket), "the control socket's file is left");
            using (var port = new TcpListener(IPAddress.Parse(ServedSubsystem.Address), subsystem.Port))
            {
                port.Server.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
                port.Start(); // nobody listens there any more
            }

            // For the initiator it was an interruption: it comes back, and what it wrote to the file reads back.
            await spindle.StartAgainAsync(Ct);
            (await load.WaitAsync(Patience.Load, Ct)).Succeeded();
            // Only cleaning up: should the kernel be stuck in it, the log tells where, and the other tests go on with subsystems of their own.
            await guest.RunAsync(
                $$"""
                nvme disconnect -n {{subsystem.Nqn}} & p=$!
                for i in $(seq 300); do kill -0 $p 2>/dev/null || exit 0; sleep 0.1; done
                echo "the disconnect hangs:" >&2
                for t in $p $(pgrep kworker); do s=$(cat /proc/$t/stack 2>/dev/null); case $s in *nvme*|*blk_*) echo "$t: $s" >&2;; esac; done
                grep . /sys/class/nvme/*/state >&2; dmesg | tail -20 >&2; exit 0
                """, Patience.Step, Ct);
        }
        finally { folder.Delete(recursive: true); }
    }
}
