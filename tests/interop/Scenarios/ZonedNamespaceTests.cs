using Spindle.InteropTests.Guest;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>A zoned bdev is a host-managed zoned disk to a stock Linux kernel, beside one that is not zoned.</summary>
[Collection(InitiatorGuest.Name), Trait("Category", "Slow")]
public sealed class ZonedNamespaceTests(SharedGuest shared)
{
    static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_kernel_sees_zones_writes_them_in_order_and_resets_them()
    {
        var guest = await shared.GetAsync(Ct);
        await using var spindle = await SpindleProcess.StartAsync(ct: Ct);
        await spindle.CallAsync("bdev_malloc_create", new { name = "Malloc0", num_blocks = 32768, block_size = 512 }, Ct);
        // 8 zones of 2 MiB, of which 1.5 MiB can be written.
        await spindle.CallAsync("bdev_zone_block_create", new { name = "Zones0", base_bdev = "Malloc0", zone_capacity = 3072, optimal_open_zones = 4 }, Ct);
        await spindle.CallAsync("bdev_malloc_create", new { name = "Plain0", num_blocks = 2048, block_size = 512 }, Ct);
        var subsystem = new ServedSubsystem();
        await subsystem.CreateAsync(spindle, ["Zones0", "Plain0"], Ct);

        var seen = await guest.RunAsync(SharedGuest.Script(
            $$"""
            dmesg -C
            {{subsystem.Connect()}} >&2
            d=$(device {{subsystem.Nqn}} 1); p=$(device {{subsystem.Nqn}} 2)
            q=/sys/block/${d##*/}/queue
            echo $(cat $q/zoned) $(cat $q/chunk_sectors) $(cat $q/nr_zones) $(cat $q/max_open_zones) $(cat $q/max_active_zones) $(cat $q/zone_append_max_bytes)
            echo $(cat /sys/block/${p##*/}/queue/zoned) $(blockdev --getro $d)
            blkzone report $d >/tmp/full; cat /tmp/full >&2
            [ $(grep -c 'zcond:14(fu)' /tmp/full) = 8 ]

            blkzone reset -o 4096 -c 2 $d
            head -c 1048576 /dev/urandom >/tmp/data
            dd if=/tmp/data of=$d bs=64k seek=32 oflag=direct conv=notrunc status=none
            dd if=$d bs=64k skip=32 count=16 iflag=direct status=none | cmp - /tmp/data
            # What is not at the write pointer is refused, and changes nothing.
            exec 9>&-
            dd if=/tmp/data of=$d bs=64k seek=60 count=1 oflag=direct conv=notrunc status=none 2>/dev/null && exit 1
            dd if=/tmp/data of=$d bs=64k seek=32 count=1 oflag=direct conv=notrunc status=none 2>/dev/null && exit 1
            blkzone report -o 4096 -c 3 $d | sed 's/ *\(start\|len\)/ \1/; s/^ *//'
            blkzone finish -o 4096 -c 1 $d
            blkzone open -o 8192 -c 1 $d
            blkzone report -o 4096 -c 2 $d | grep -o 'zcond:[^]]*' | tr '\n' ' '; echo
            # All at once: Select All.
            blkzone reset $d
            [ $(blkzone report $d | grep -c 'zcond: 1(em)') = 8 ]
            # One write at a time: at a depth the kernel would have to keep them in order, by an I/O scheduler that this one is not set to.
            fio --name=zbd --filename=$d --zonemode=zbd --rw=randwrite --bs=16k --size=16m --io_size=4m --ioengine=libaio --iodepth=1 --direct=1 --verify=crc32c --verify_fatal=1 --max_open_zones=3 --output-format=terse >&2
            dmesg | grep -i -e 'nvme.*timeout' -e 'command set not reported' -e 'zone.*not supported' >&2 && exit 1
            nvme disconnect -n {{subsystem.Nqn}} >&2
            """), Patience.Load, Ct);
        var lines = seen.Succeeded().Split('\n');
        Assert.Equal($"host-managed 4096 8 0 0 {128 << 10}", lines[0]);
        Assert.Equal("none 0", lines[1]);
        Assert.Matches("start: 0x000001000, len 0x001000, cap 0x000c00, wptr 0x000800 .*zcond: 2\\(oi\\)", lines[2]);
        Assert.Matches("start: 0x000002000, .*zcond: 1\\(em\\)", lines[3]);
        Assert.Matches("start: 0x000003000, .*zcond:14\\(fu\\)", lines[4]);
        Assert.Matches("zcond:14\\(fu\\).*zcond: 3\\(oe\\)", lines[5]);
    }
}
