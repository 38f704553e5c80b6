using Spindle.InteropTests.Guest;

namespace Spindle.InteropTests.Scenarios;

/// <summary>The tests that use one guest after another: it boots once, and two cores are not shared by several emulators.</summary>
[CollectionDefinition(Name)]
public sealed class InitiatorGuest : ICollectionFixture<SharedGuest>
{
    /// <summary>The collection's name.</summary>
    public const string Name = "one guest";
}

/// <summary>A guest that is an NVMe/TCP initiator, for the tests of the collection. The first test boots it; a test that finds it dead gets a new one.</summary>
public sealed class SharedGuest : IAsyncDisposable
{
    LinuxGuest? guest;

    /// <summary>The functions that every script of the scenarios has.</summary>
    const string Functions =
        """
        exec 9>/dev/kmsg
        # Waits for a block device: with a namespace number of a subsystem. Prints its path.
        device() { # NQN NSID
          local i n
          for i in $(seq 600); do
            for n in /sys/class/nvme-subsystem/*/; do
              [ "$(cat "$n/subsysnqn" 2>/dev/null)" = "$1" ] || continue
              for d in "$n"nvme*n*; do
                [ -e "$d/nsid" ] && [ "$(cat "$d/nsid")" = "$2" ] && [ -b "/dev/${d##*/}" ] && { echo "/dev/${d##*/}"; return 0; }
              done
            done
            sleep 0.1
          done
          echo "namespace $2 of $1 did not come" >&2
          return 1
        }
        # The controller of a subsystem, as nvmeN.
        controller() { # NQN
          local c
          for c in /sys/class/nvme/nvme*; do
            [ "$(cat "$c/subsysnqn" 2>/dev/null)" = "$1" ] && { echo "${c##*/}"; return 0; }
          done
          return 1
        }
        until_true() { local i; for i in $(seq 600); do "$@" && return 0; sleep 0.1; done; echo "waited in vain: $*" >&2; return 1; }
        """;

    /// <summary>The guest, with nothing connected or mounted.</summary>
    public async Task<LinuxGuest> GetAsync(CancellationToken ct)
    {
        if (guest is not null)
            try
            {
                await guest.RunAsync("umount -a -l -t ext4 2>/dev/null; nvme disconnect-all; rm -rf /tmp/* /mnt/*; dmesg -C; true", Patience.Step, ct);
                return guest;
            }
            catch (GuestException)
            {
                await guest.DisposeAsync();
                guest = null;
            }

        return guest = await LinuxGuest.StartAsync(new GuestOptions { Modules = ["nvme-tcp"], BootTimeout = TimeSpan.FromMinutes(4) }, ct);
    }

    /// <summary>For scripts that do I/O while connections break: nvme-tcp sends in the context of the program whose I/O it is, without MSG_NOSIGNAL, so that a
    /// connection that was reset raises SIGPIPE in that program (Linux 6.1, net/core/stream.c, sk_stream_error). fio dies of it, and sync.</summary>
    public const string IgnoreBrokenConnections = "trap '' PIPE";

    /// <summary>A script with the functions <c>device</c>, <c>controller</c> and <c>until_true</c> that ends at its first error.</summary>
    public static string Script(string text) => $"{Functions}\nset -eE -o pipefail\ntrap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n{text}";

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (guest is not null) await guest.DisposeAsync();
    }
}
