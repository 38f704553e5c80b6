using Spindle.Host.Environments.Linux.Io;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.Host.Environments.Linux;

/// <summary>The checks that every ring makes before it accepts an operation.</summary>
internal static class RingArguments
{
    [DataPath]
    internal static int CheckFile(RingFile file, RingOperation operation, out LinuxFile? target)
    {
        target = file as LinuxFile;
        if (operation.IsPending) return -Errno.EBUSY;
        return target is null || target.Fd < 0 ? -Errno.EBADF : 0;
    }

    [DataPath]
    internal static int CheckTransfer(RingFile file, ReadOnlySpan<IoVec> buffers, long offset, RingOperation operation, out LinuxFile? target)
    {
        var error = CheckFile(file, operation, out target);
        if (error != 0) return error;
        return buffers.Length is 0 or > OperationTable.MaxVectors || offset < 0 ? -Errno.EINVAL : 0;
    }

    [DataPath]
    internal static int CheckRange(RingFile file, long offset, long length, RingOperation operation, out LinuxFile? target)
    {
        var error = CheckFile(file, operation, out target);
        if (error != 0) return error;
        return offset < 0 || length <= 0 || length > long.MaxValue - offset ? -Errno.EINVAL : 0;
    }

    [DataPath]
    internal static int CheckSocket(RingSocket socket, ReadOnlySpan<IoVec> buffers, RingOperation operation, out LinuxSocket? target)
    {
        target = socket as LinuxSocket;
        if (operation.IsPending) return -Errno.EBUSY;
        if (target is null || target.Fd < 0) return -Errno.EBADF;
        return buffers.Length is 0 or > OperationTable.MaxVectors ? -Errno.EINVAL : 0;
    }
}
