using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Spindle.InteropTests.Guest;

/// <summary>The harness itself: what every interop test takes for granted.</summary>
[Trait("Category", "Slow")]
public sealed class GuestHarnessTests(GuestHarnessTests.BootedGuest booted) : IClassFixture<GuestHarnessTests.BootedGuest>
{
    static CancellationToken Ct => TestContext.Current.CancellationToken;

    /// <summary>One boot for all tests of the class; made by the first test, so that a missing tool skips tests instead of failing a fixture.</summary>
    public sealed class BootedGuest : IAsyncDisposable
    {
        readonly SemaphoreSlim gate = new(1, 1);
        LinuxGuest? guest;

        public async Task<LinuxGuest> GetAsync()
        {
            await gate.WaitAsync();
            try { return guest ??= await LinuxGuest.StartAsync(new GuestOptions { Modules = ["nvme-tcp"] }, Ct); }
            finally { gate.Release(); }
        }

        public async ValueTask DisposeAsync()
        {
            if (guest is not null) await guest.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_script_returns_its_exit_status_and_both_streams_apart()
    {
        var guest = await booted.GetAsync();
        var result = await guest.RunAsync("echo one; echo two >&2; printf 'three, without a newline'; exit 7", ct: Ct);
        Assert.Equal(7, result.ExitCode);
        Assert.Equal("one\nthree, without a newline", result.Output);
        Assert.Equal("two\n", result.Error);
        var failure = Assert.Throws<GuestException>(result.Succeeded);
        Assert.Contains("exit status 7", failure.Message);
        Assert.Contains("two", failure.Message);
    }

    [Fact]
    public async Task The_guest_has_the_kernel_the_module_and_the_tools_of_an_initiator()
    {
        var guest = await booted.GetAsync();
        var result = await guest.RunAsync(
            """
            set -e
            uname -r
            grep -q '^nvme_tcp ' /proc/modules
            test -c /dev/nvme-fabrics
            nvme version >&2
            fio --version >&2
            mkfs.ext4 -V
            mkfs.xfs -V >&2
            lsblk --version >&2
            nproc
            """, ct: Ct);
        Assert.Equal([guest.KernelVersion, "2"], result.Succeeded().Split('\n'));
        Assert.StartsWith("6.1.", guest.KernelVersion);
    }

    [Fact]
    public async Task A_script_that_does_not_end_is_killed_with_its_children_and_the_guest_goes_on()
    {
        var guest = await booted.GetAsync();
        var timeout = await Assert.ThrowsAsync<GuestTimeoutException>(() => guest.RunAsync("echo begun; sleep 1234 & sleep 1235", TimeSpan.FromSeconds(2), Ct));
        Assert.Equal("begun\n", timeout.SoFar.Output);
        var left = await guest.RunAsync("pgrep -a sleep", ct: Ct);
        Assert.Equal((1, ""), (left.ExitCode, left.Output));
    }

    [Fact]
    public async Task A_job_runs_while_other_scripts_do_and_shows_its_output_early()
    {
        var guest = await booted.GetAsync();
        var job = await guest.StartJobAsync("echo waiting; until [ -e /tmp/go ]; do sleep 0.1; done; echo gone");
        for (var i = 0; i < 100 && job.Output != "waiting\n"; i++) await Task.Delay(100, Ct);
        Assert.Equal("waiting\n", job.Output);
        Assert.False(job.Completion.IsCompleted);
        (await guest.RunAsync("touch /tmp/go", ct: Ct)).Succeeded();
        Assert.Equal("waiting\ngone\n", (await job.WaitAsync(TimeSpan.FromSeconds(20), Ct)).Output);
    }

    [Fact]
    public async Task A_large_output_arrives_whole()
    {
        var guest = await booted.GetAsync();
        var result = await guest.RunAsync("seq 1 100000", ct: Ct);
        Assert.Equal(string.Concat(Enumerable.Range(1, 100_000).Select(n => $"{n}\n")), result.Output);
    }

    [Fact]
    public async Task Files_are_shared_both_ways()
    {
        var guest = await booted.GetAsync();
        await File.WriteAllTextAsync(Path.Combine(guest.SharedFolder, "from-host"), "hello", Ct);
        (await guest.RunAsync($"cd {LinuxGuest.GuestSharedFolder} && tr a-z A-Z <from-host >from-guest", ct: Ct)).Succeeded();
        Assert.Equal("HELLO", await File.ReadAllTextAsync(Path.Combine(guest.SharedFolder, "from-guest"), Ct));
    }

    [Theory]
    [InlineData("127.0.0.1", LinuxGuest.HostAddress)]
    [InlineData("127.0.0.2", "127.0.0.2")]
    public async Task The_guest_reaches_a_listener_on_the_hosts_loopback(string bound, string seen)
    {
        var guest = await booted.GetAsync();
        using var listener = new TcpListener(IPAddress.Parse(bound), 0);
        listener.Start();
        var accepting = listener.AcceptTcpClientAsync(Ct).AsTask();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var job = await guest.StartJobAsync($"exec 5<>/dev/tcp/{seen}/{port}; head -c5 <&5");
        using var client = await accepting.WaitAsync(TimeSpan.FromSeconds(20), Ct);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes("hello"), Ct);
        Assert.Equal("hello", (await job.WaitAsync(TimeSpan.FromSeconds(20), Ct)).Succeeded());
    }

    /// <summary>The control experiment: what fails against Spindle works against Linux's own target with this very initiator.</summary>
    [Fact]
    public async Task The_guest_is_an_NVMe_TCP_initiator()
    {
        var guest = await booted.GetAsync();
        var result = await guest.RunAsync(
            """
            set -e
            modprobe -a nvmet nvmet-tcp
            truncate -s 128M /tmp/disk
            mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
            cd /sys/kernel/config/nvmet
            mkdir -p subsystems/nqn.test/namespaces/1 ports/1
            echo 1 >subsystems/nqn.test/attr_allow_any_host
            echo /tmp/disk >subsystems/nqn.test/namespaces/1/device_path
            echo 1 >subsystems/nqn.test/namespaces/1/buffered_io
            echo 1 >subsystems/nqn.test/namespaces/1/enable
            cd ports/1
            echo tcp >addr_trtype; echo ipv4 >addr_adrfam; echo 127.0.0.1 >addr_traddr; echo 4420 >addr_trsvcid
            ln -s ../../subsystems/nqn.test subsystems/

            nvme discover -t tcp -a 127.0.0.1 -s 4420 | grep -q 'subnqn: *nqn.test'
            nvme connect -t tcp -a 127.0.0.1 -s 4420 -n nqn.test --hdr-digest --data-digest
            for i in $(seq 100); do [ ! -b /dev/nvme0n1 ] || break; sleep 0.1; done
            mkfs.ext4 -q /dev/nvme0n1
            mkdir -p /mnt; mount /dev/nvme0n1 /mnt
            fio --name=v --directory=/mnt --size=4m --rw=randwrite --bs=4k --verify=crc32c --do_verify=1 --ioengine=libaio --iodepth=8 --direct=1 >/dev/null
            umount /mnt
            e2fsck -fn /dev/nvme0n1
            nvme disconnect -n nqn.test
            """, TimeSpan.FromMinutes(2), Ct);
        Assert.Contains("files", result.Succeeded());
        Assert.Contains("disconnected 1 controller", result.Output);
    }

    [Fact]
    public async Task A_guest_that_dies_fails_what_runs_in_it_with_its_console()
    {
        await using var guest = await LinuxGuest.StartAsync(new GuestOptions { Cpus = 1, MemoryMb = 512 }, Ct);
        var job = await guest.StartJobAsync("sleep 1; echo c >/proc/sysrq-trigger");
        var failure = await Assert.ThrowsAsync<GuestException>(() => job.WaitAsync(TimeSpan.FromSeconds(60), Ct));
        Assert.Contains("sysrq triggered crash", failure.Message);
        await Assert.ThrowsAsync<GuestException>(() => guest.RunAsync("true", ct: Ct));
    }

    [Fact]
    public async Task A_guest_that_does_not_come_up_is_reported_with_its_console()
    {
        var options = new GuestOptions { Cpus = 1, MemoryMb = 512, KernelArguments = ["rdinit=/missing", "init=/missing"] };
        var failure = await Assert.ThrowsAsync<GuestException>(() => LinuxGuest.StartAsync(options, Ct));
        Assert.Contains("Kernel panic", failure.Message);
    }
}
