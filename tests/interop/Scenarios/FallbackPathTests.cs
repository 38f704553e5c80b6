using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>What the host runs on where io_uring or Linux itself is missing serves a Linux initiator as well.</summary>
[Collection(InitiatorGuest.Name), Trait("Category", "Slow")]
public sealed class FallbackPathTests(SharedGuest shared)
{
    static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("--ring", "io_uring")]
    [InlineData("--ring", "epoll")]
    [InlineData("--portable")]
    [InlineData("--spin")]
    public async Task A_connection_is_served_end_to_end(params string[] arguments)
    {
        var guest = await shared.GetAsync(Ct);
        await using var spindle = await StartAsync(arguments);
        var file = Path.Combine(spindle.Folder, "disk");
        await using (var disk = File.Create(file)) disk.SetLength(16 << 20);
        await spindle.CallAsync("bdev_aio_create", new { filename = file, name = "Aio0", block_size = 512 }, Ct);
        await spindle.CallAsync("bdev_malloc_create", new { name = "Malloc0", num_blocks = 16384, block_size = 512 }, Ct);
        var subsystem = new ServedSubsystem();
        await subsystem.CreateAsync(spindle, ["Aio0", "Malloc0"], Ct);
        (await guest.RunAsync(SharedGuest.Script(
            $$"""
            {{subsystem.Connect("--data-digest")}} >&2
            head -c 1536k /dev/urandom >/tmp/data
            for nsid in 1 2; do
              d=$(device {{subsystem.Nqn}} $nsid)
              dd if=/tmp/data of=$d bs=192k oflag=direct status=none
              dd if=/tmp/data of=$d bs=4k count=16 seek=1024 oflag=direct status=none
              sync $d
              echo 3 >/proc/sys/vm/drop_caches
              cmp -n 1572864 $d /tmp/data
              cmp -i 4194304:0 -n 65536 $d /tmp/data
            done
            nvme disconnect -n {{subsystem.Nqn}}
            """), Patience.Load, Ct)).Succeeded();
        await Machine.EndAsync(spindle);
    }

    static async Task<SpindleProcess> StartAsync(string[] arguments)
    {
        try { return await SpindleProcess.StartAsync(new SpindleOptions { Arguments = arguments }, Ct); }
        catch (InvalidOperationException e) when (arguments.Contains("io_uring") && e.Message.Contains("The ring \"io_uring\" was asked for, but"))
        {
            Assert.Skip("no io_uring here: " + e.Message[e.Message.IndexOf("The ring", StringComparison.Ordinal)..].Trim());
            throw;
        }
    }
}
