using Spindle.Host.Environments.Linux.IoUring;

namespace Spindle.Host.Environments.Linux;

/// <summary>Decides between io_uring and epoll, and says why.</summary>
internal static class RingChoice
{
    /// <summary>Whether the rings are to be io_uring's.</summary>
    /// <param name="ring">"auto", "io_uring" or "epoll".</param>
    /// <param name="fallbacks">Told why io_uring is not to be had.</param>
    /// <exception cref="SpindleException">The ring asked for is not to be had, or there is none of that name.</exception>
    internal static bool UseIoUring(string ring, FallbackLog fallbacks)
    {
        switch (ring)
        {
            case "epoll":
                return false;
            case "io_uring" or "auto":
                var error = IoUringRing.Probe();
                if (error == 0) return true;
                var reason = Explain(error, ReadNumber("/proc/sys/kernel/io_uring_disabled"), SeccompFilters());
                if (ring == "io_uring") throw new SpindleException(error, $"The ring \"io_uring\" was asked for, but {reason}");
                fallbacks.Add("io_uring", $"The reactors use epoll and libaio, not io_uring: {reason}");
                return false;
            default:
                throw new SpindleException(Errno.EINVAL, $"There is no ring \"{ring}\"; choose \"auto\", \"io_uring\" or \"epoll\".");
        }
    }

    /// <summary>Why io_uring_setup failed, with the remedy.</summary>
    /// <param name="error">Its error number.</param>
    /// <param name="disabled">The sysctl kernel.io_uring_disabled: 0, 1 (only for the privileged and a group), 2 (for nobody).</param>
    /// <param name="seccomp">The process runs under a system call filter.</param>
    internal static string Explain(int error, int disabled, bool seccomp) => (error, disabled) switch
    {
        (Errno.EPERM, 2) => "the sysctl kernel.io_uring_disabled is 2, which forbids it to all: set it to 0 (sysctl -w kernel.io_uring_disabled=0).",
        (Errno.EPERM, 1) => "the sysctl kernel.io_uring_disabled is 1, which allows it to the group in kernel.io_uring_group and to CAP_SYS_ADMIN only: join the group, or set it to 0.",
        (Errno.EPERM or Errno.ENOSYS or Errno.EACCES, _) when seccomp => "the container's seccomp profile blocks it "
            + $"({Errno.Message(error)}): run with a profile that allows io_uring_setup, io_uring_enter and io_uring_register.",
        (Errno.ENOSYS or Errno.EINVAL, _) => "the kernel does not offer what is needed of it: use Linux 5.11 or newer, built with CONFIG_IO_URING.",
        (Errno.ENOMEM, _) => "the kernel had no memory for it, or its share of locked memory is used up: raise ulimit -l.",
        _ => $"the kernel refused it: {Errno.Message(error)}.",
    };

    private static int ReadNumber(string path)
    {
        try
        {
            return int.TryParse(File.ReadAllText(path).Trim(), out var value) ? value : 0;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    private static bool SeccompFilters()
    {
        try
        {
            // 2 is SECCOMP_MODE_FILTER.
            return File.ReadLines("/proc/self/status").Any(static line => line.StartsWith("Seccomp:", StringComparison.Ordinal) && line.TrimEnd().EndsWith('2'));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
