using System.Text.Json;
using Spindle.InteropTests.Guest;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>What a user does with a target: a stock Linux kernel connects, keeps files on it, sees it change, leaves and comes back.</summary>
[Collection(InitiatorGuest.Name), Trait("Category", "Slow")]
public sealed class LinuxInitiatorTests(SharedGuest shared)
{
    static CancellationToken Ct => TestContext.Current.CancellationToken;

    static Task<JsonElement> MallocAsync(SpindleProcess spindle, string name, int mib, CancellationToken ct) =>
        spindle.CallAsync("bdev_malloc_create", new { name, num_blocks = mib * 2048, block_size = 512 }, ct);

    [Fact]
    public async Task It_is_discovered_and_connected_to_with_two_queues_with_and_without_digests()
    {
        var guest = await shared.GetAsync(Ct);
        await using var spindle = await SpindleProcess.StartAsync(ct: Ct);
        await MallocAsync(spindle, "Malloc0", 16, Ct);
        var subsystem = new ServedSubsystem();
        await subsystem.CreateAsync(spindle, ["Malloc0"], Ct);

        var page = await guest.RunAsync($"nvme discover -t tcp -a {ServedSubsystem.Address} -s {subsystem.Port} -o json", Patience.Step, Ct);
        var records = JsonDocument.Parse(page.Succeeded()).RootElement.GetProperty("records").EnumerateArray().ToList();
        var record = Assert.Single(records, record => record.GetProperty("subnqn").GetString() == subsystem.Nqn);
        Assert.Equal(("tcp", ServedSubsystem.Address, subsystem.Port.ToString()),
            (record.GetProperty("trtype").GetString(), record.GetProperty("traddr").GetString(), record.GetProperty("trsvcid").GetString()));

        foreach (var digests in new[] { "", "--hdr-digest", "--data-digest", "--hdr-digest --data-digest" })
        {
            var report = await guest.RunAsync(SharedGuest.Script(
                $$"""
                dmesg -C
                {{subsystem.Connect(digests)}} >&2
                d=$(device {{subsystem.Nqn}} 1)
                cat /sys/class/nvme/$(controller {{subsystem.Nqn}})/queue_count
                head -c 1000448 /dev/urandom >/tmp/data
                dd if=/tmp/data of=$d bs=61k oflag=direct status=none conv=notrunc
                dd if=/tmp/data of=$d bs=512 count=64 seek=10000 oflag=direct status=none
                echo 3 >/proc/sys/vm/drop_caches
                cmp -n 1000448 $d /tmp/data
                dd if=$d bs=512 count=64 skip=10000 iflag=direct status=none | cmp -n 32768 - /tmp/data
                dmesg | grep -i -e digest -e 'nvme.*error' -e 'nvme.*timeout' >&2 && exit 1
                true
                """), Patience.Step, Ct);
            Assert.Equal("3", report.Succeeded()); // one admin queue, two I/O queues

            var queues = await spindle.CallAsync("nvmf_subsystem_get_qpairs", new { nqn = subsystem.Nqn }, Ct);
            Assert.Equal([0, 1, 2], queues.EnumerateArray().Select(queue => queue.GetProperty("qid").GetInt32()).Order());
            var controller = Assert.Single((await spindle.CallAsync("nvmf_subsystem_get_controllers", new { nqn = subsystem.Nqn }, Ct)).EnumerateArray());
            Assert.Equal(2, controller.GetProperty("num_io_qpairs").GetInt32());

            (await guest.RunAsync($"nvme disconnect -n {subsystem.Nqn}", Patience.Step, Ct)).Succeeded();
            await Patience.UntilAsync(async () => (await spindle.CallAsync("nvmf_subsystem_get_controllers", new { nqn = subsystem.Nqn }, Ct)).GetArrayLength() == 0,
                "the controller goes with its host", Ct);
        }
    }

    [Fact]
    public async Task The_demo_is_mounted_with_the_commands_that_it_prints()
    {
        var guest = await shared.GetAsync(Ct);
        var folder = Directory.CreateTempSubdirectory("spindle-demo-");
        try
        {
            // The app's own configuration, but for an address that is the host's in the guest too, and a port that is free.
            var port = new ServedSubsystem().Port;
            var config = Path.Combine(folder.FullName, "config.json");
            var demo = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "apps", "nvmf_tgt", "config.json"), Ct);
            await File.WriteAllTextAsync(config, demo.Replace("127.0.0.1", ServedSubsystem.Address).Replace("4420", port.ToString()), Ct);
            await using var spindle = await SpindleProcess.StartAsync(new SpindleOptions { Config = config }, Ct);
            await Patience.UntilAsync(() => Task.FromResult(spindle.Output.Contains("Connect: nvme connect")), "the connect line", Ct);
            var commands = spindle.Output.Split('\n').Where(line => line.StartsWith("Connect: ", StringComparison.Ordinal)).Select(line => line["Connect: ".Length..].Trim());
            (await guest.RunAsync(SharedGuest.Script(
                $$"""
                {{string.Join('\n', commands)}}
                d=$(device nqn.2026-11.io.spindle:demo 1)
                [ $(blockdev --getsize64 $d) = {{64 << 20}} ]
                mkfs.ext4 -q $d; mkdir -p /mnt/a; mount $d /mnt/a
                echo hello >/mnt/a/hello; umount /mnt/a; mount $d /mnt/a; grep hello /mnt/a/hello; umount /mnt/a
                nvme disconnect -n nqn.2026-11.io.spindle:demo
                """), Patience.Step, Ct)).Succeeded();
        }
        finally { folder.Delete(recursive: true); }
    }

    [Fact]
    public async Task A_filesystem_keeps_its_files_over_a_reconnect()
    {
        var guest = await shared.GetAsync(Ct);
        await using var spindle = await SpindleProcess.StartAsync(ct: Ct);
        await MallocAsync(spindle, "Malloc0", 64, Ct);
        await spindle.CallAsync("bdev_passthru_create", new { name = "Demo0", base_bdev_name = "Malloc0" }, Ct);
        var subsystem = new ServedSubsystem();
        await subsystem.CreateAsync(spindle, ["Demo0"], Ct);

        (await guest.RunAsync(SharedGuest.Script(
            $$"""
            {{subsystem.Connect()}} >&2
            d=$(device {{subsystem.Nqn}} 1)
            mkfs.ext4 -q -F $d
            mkdir -p /mnt/a; mount $d /mnt/a
            for i in 1 2 3 4 5 6 7 8; do head -c $((i * 70001)) /dev/urandom >/mnt/a/file$i; done
            mkdir /mnt/a/deep; cp -r /usr/share/zoneinfo/Europe /mnt/a/deep/ 2>/dev/null || cp -r /etc /mnt/a/deep/
            rm /mnt/a/file3
            (cd /mnt/a && find . -type f -print0 | sort -z | xargs -0 sha256sum) >/tmp/sums
            fstrim -v /mnt/a
            umount /mnt/a
            nvme disconnect -n {{subsystem.Nqn}}
            {{subsystem.Connect()}} >&2
            d=$(device {{subsystem.Nqn}} 1)
            e2fsck -f -n $d
            mount -o ro $d /mnt/a
            (cd /mnt/a && sha256sum --quiet -c /tmp/sums)
            test ! -e /mnt/a/file3
            umount /mnt/a
            nvme disconnect -n {{subsystem.Nqn}}
            """), Patience.Load, Ct)).Succeeded();
    }

    [Theory, InlineData("malloc", ""), InlineData("aio", "--data-digest"), InlineData("passthru", "--hdr-digest"), InlineData("protected", ""), InlineData("inserted", "")]
    public async Task Fio_reads_back_what_it_wrote(string kind, string digests)
    {
        var guest = await shared.GetAsync(Ct);
        await using var spindle = await SpindleProcess.StartAsync(ct: Ct);
        if (kind == "aio")
        {
            var file = Path.Combine(spindle.Folder, "disk");
            await using (var disk = File.Create(file)) disk.SetLength(32 << 20);
            await spindle.CallAsync("bdev_aio_create", new { filename = file, name = "Disk", block_size = 4096 }, Ct);
        }
        else if (kind is "protected" or "inserted")
        {
            await spindle.CallAsync("bdev_malloc_create", new { name = "Disk", num_blocks = 65536, block_size = 512, md_size = 8, md_interleave = true, dif_type = 1 }, Ct);
        }
        else
        {
            await MallocAsync(spindle, kind == "malloc" ? "Disk" : "Base", 32, Ct);
            if (kind == "passthru") await spindle.CallAsync("bdev_passthru_create", new { name = "Disk", base_bdev_name = "Base" }, Ct);
        }

        var subsystem = new ServedSubsystem();
        await subsystem.CreateAsync(spindle, [], Ct);
        await spindle.CallAsync("nvmf_subsystem_add_ns", new { nqn = subsystem.Nqn, @namespace = new { nsid = 1, bdev_name = "Disk", hide_metadata = kind == "protected" } }, Ct);
        (await guest.RunAsync(SharedGuest.Script(
            $$"""
            {{subsystem.Connect(digests)}} >&2
            d=$(device {{subsystem.Nqn}} 1)
            [ $(blockdev --getsize64 $d) = {{32 << 20}} ]
            # Small blocks at random at a queue depth, then requests above what a capsule carries in itself, and above the transfer limit.
            fio --name=small --filename=$d --size=4m --rw=randwrite --bs=4k --ioengine=libaio --iodepth=16 --direct=1 --verify=crc32c --verify_fatal=1 --output-format=terse
            fio --name=large --filename=$d --offset=8m --size=16m --rw=write --bs=256k --ioengine=libaio --iodepth=4 --direct=1 --verify=crc32c --verify_fatal=1 --output-format=terse
            fio --name=mixed --filename=$d --offset=24m --size=4m --rw=randrw --bsrange=4k-64k --ioengine=libaio --iodepth=8 --direct=1 --verify=crc32c --verify_fatal=1 --output-format=terse
            nvme disconnect -n {{subsystem.Nqn}}
            """), Patience.Load, Ct)).Succeeded();
    }

    [Fact]
    public async Task Two_namespaces_are_two_disks_with_the_identities_of_their_bdevs()
    {
        var guest = await shared.GetAsync(Ct);
        await using var spindle = await SpindleProcess.StartAsync(ct: Ct);
        await MallocAsync(spindle, "Malloc0", 16, Ct);
        await spindle.CallAsync("bdev_malloc_create", new { name = "Malloc1", num_blocks = 2048, block_size = 4096, uuid = "7e2bcd0c-6f5b-4a1c-9d55-0a1b2c3d4e5f" }, Ct);
        var subsystem = new ServedSubsystem();
        await subsystem.CreateAsync(spindle, ["Malloc0", "Malloc1"], Ct);

        var seen = await guest.RunAsync(SharedGuest.Script(
            $$"""
            {{subsystem.Connect()}} >&2
            a=$(device {{subsystem.Nqn}} 1); b=$(device {{subsystem.Nqn}} 2)
            echo $(blockdev --getsize64 --getss $a) $(blockdev --getsize64 --getss $b)
            cat /sys/block/${b##*/}/uuid
            cat /sys/class/nvme/$(controller {{subsystem.Nqn}})/{serial,model} | sed 's/ *$//'
            head -c 1m /dev/urandom >/tmp/a; head -c 1m /dev/urandom >/tmp/b
            dd if=/tmp/a of=$a bs=64k oflag=direct status=none & one=$!
            dd if=/tmp/b of=$b bs=64k oflag=direct status=none & two=$!
            wait $one; wait $two
            echo 3 >/proc/sys/vm/drop_caches
            cmp -n 1048576 $a /tmp/a; cmp -n 1048576 $b /tmp/b
            blkdiscard -o 65536 -l 131072 $a
            blkdiscard -z -o 65536 -l 131072 $b
            echo 3 >/proc/sys/vm/drop_caches
            for f in a b; do d=$([ $f = a ] && echo $a || echo $b)
              cmp -n 65536 $d /tmp/$f; cmp -i 196608 -n 262144 $d /tmp/$f; done
            cmp -i 65536:0 -n 131072 $b /dev/zero
            cmp -i 65536:0 -n 131072 $a /dev/zero
            nvme smart-log /dev/$(controller {{subsystem.Nqn}}) >&2
            nvme id-ctrl /dev/$(controller {{subsystem.Nqn}}) >&2
            nvme disconnect -n {{subsystem.Nqn}} >&2
            """), Patience.Load, Ct);
        Assert.Equal(
            [$"{16 << 20} 512 {8 << 20} 4096", "7e2bcd0c-6f5b-4a1c-9d55-0a1b2c3d4e5f", "SPDLINTEROP", "Spindle interop"],
            seen.Succeeded().Split('\n'));
    }

    [Fact]
    public async Task A_resize_is_seen_by_the_connected_host()
    {
        var guest = await shared.GetAsync(Ct);
        await using var spindle = await SpindleProcess.StartAsync(ct: Ct);
        var file = Path.Combine(spindle.Folder, "disk");
        await using (var disk = File.Create(file)) disk.SetLength(8 << 20);
        await spindle.CallAsync("bdev_aio_create", new { filename = file, name = "Aio0", block_size = 512 }, Ct);
        await spindle.CallAsync("bdev_null_create", new { name = "Null0", num_blocks = 16384, block_size = 512 }, Ct);
        var subsystem = new ServedSubsystem();
        await subsystem.CreateAsync(spindle, ["Aio0", "Null0"], Ct);
        (await guest.RunAsync(SharedGuest.Script(
            $$"""
            {{subsystem.Connect()}} >&2
            a=$(device {{subsystem.Nqn}} 1); device {{subsystem.Nqn}} 2
            mkfs.ext4 -q -F $a; mkdir -p /mnt/a; mount $a /mnt/a; echo kept >/mnt/a/file; sync
            """), Patience.Step, Ct)).Succeeded();

        await using (var disk = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) disk.SetLength(24 << 20);
        await spindle.CallAsync("bdev_aio_rescan", new { name = "Aio0" }, Ct);
        await spindle.CallAsync("bdev_null_resize", new { name = "Null0", new_size = 32 }, Ct);

        (await guest.RunAsync(SharedGuest.Script(
            $$"""
            a=$(device {{subsystem.Nqn}} 1); b=$(device {{subsystem.Nqn}} 2)
            size() { [ "$(blockdev --getsize64 $1)" = $2 ]; }
            until_true size $a {{24 << 20}}
            until_true size $b {{32 << 20}}
            resize2fs $a >&2
            head -c 12m /dev/urandom >/mnt/a/large # more than the first size
            sum=$(sha256sum </mnt/a/large)
            umount /mnt/a
            echo 3 >/proc/sys/vm/drop_caches
            mount $a /mnt/a
            [ "$(sha256sum </mnt/a/large)" = "$sum" ]
            grep -q kept /mnt/a/file
            umount /mnt/a
            e2fsck -f -n $a
            nvme disconnect -n {{subsystem.Nqn}}
            """), Patience.Load, Ct)).Succeeded();
    }

    [Theory, InlineData("namespace"), InlineData("bdev")]
    public async Task What_is_removed_under_load_vanishes_from_the_host_and_the_rest_goes_on(string removed)
    {
        var guest = await shared.GetAsync(Ct);
        await using var spindle = await SpindleProcess.StartAsync(ct: Ct);
        await MallocAsync(spindle, "Malloc0", 16, Ct);
        await MallocAsync(spindle, "Malloc1", 16, Ct);
        var subsystem = new ServedSubsystem();
        await subsystem.CreateAsync(spindle, ["Malloc0", "Malloc1"], Ct);
        (await guest.RunAsync(SharedGuest.Script($"{subsystem.Connect()} >&2; device {subsystem.Nqn} 1; device {subsystem.Nqn} 2"), Patience.Step, Ct)).Succeeded();
        string Load(int nsid, string more) => SharedGuest.Script(
            $"exec fio --name=load --filename=$(device {subsystem.Nqn} {nsid}) --size=4m --rw=randwrite --bs=4k --ioengine=libaio --iodepth=8 --direct=1 {more} --output-format=terse");

        var lost = await guest.StartJobAsync(Load(1, "--time_based --runtime=600"));
        var kept = await guest.StartJobAsync(Load(2, "--verify=crc32c --verify_fatal=1 --loops=2"));
        async Task<long> WritesAsync(string bdev) =>
            (await spindle.CallAsync("bdev_get_iostat", new { name = bdev }, Ct)).GetProperty("bdevs")[0].GetProperty("num_write_ops").GetInt64();
        await Patience.UntilAsync(async () => await WritesAsync("Malloc0") > 50 && await WritesAsync("Malloc1") > 50, "both loads run", Ct);

        if (removed == "bdev") await spindle.CallAsync("bdev_malloc_delete", new { name = "Malloc0" }, Ct);
        else await spindle.CallAsync("nvmf_subsystem_remove_ns", new { nqn = subsystem.Nqn, nsid = 1 }, Ct);

        var failure = await lost.WaitAsync(Patience.Load, Ct);
        Assert.NotEqual(0, failure.ExitCode); // its disk is gone
        (await guest.RunAsync(SharedGuest.Script(
            $$"""
            gone() { for n in /sys/class/nvme-subsystem/*/; do
                [ "$(cat $n/subsysnqn)" = {{subsystem.Nqn}} ] || continue
                for d in $n/nvme*n*; do [ ! -e $d/nsid ] || [ $(cat $d/nsid) != 1 ] || return 1; done
              done; }
            until_true gone
            """), Patience.Step, Ct)).Succeeded();
        (await kept.WaitAsync(Patience.Load, Ct)).Succeeded();

        // And it comes back as what it was, or as another disk.
        if (removed == "bdev") await MallocAsync(spindle, "Malloc0", 8, Ct);
        var (method, parameters) = subsystem.Namespace(1, "Malloc0");
        await spindle.CallAsync(method, parameters, Ct);
        (await guest.RunAsync(SharedGuest.Script(
            $$"""
            d=$(device {{subsystem.Nqn}} 1)
            head -c 64k /dev/urandom >/tmp/again
            dd if=/tmp/again of=$d bs=64k oflag=direct status=none
            dd if=$d bs=64k count=1 iflag=direct status=none | cmp - /tmp/again
            nvme disconnect -n {{subsystem.Nqn}}
            """), Patience.Step, Ct)).Succeeded();
    }
}
