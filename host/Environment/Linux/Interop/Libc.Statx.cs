using System.Runtime.InteropServices;

namespace Spindle.Host.Environments.Linux.Interop;

/// <summary>What a file is: statx(2) and statfs(2).</summary>
internal static unsafe partial class Libc
{
    internal const int AT_EMPTY_PATH = 0x1000;
    internal const uint STATX_BASIC_STATS = 0x7ff, STATX_DIOALIGN = 0x2000;

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int statx(int directory, byte* path, int flags, uint mask, Statx* buffer);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fstatfs(int fd, StatFs* buffer);
}

/// <summary>struct statx (linux/stat.h); the fields that are read.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct Statx
{
    [FieldOffset(0)] internal uint Mask;
    [FieldOffset(28)] internal ushort Mode;
    [FieldOffset(40)] internal ulong Size;
    [FieldOffset(128)] internal uint RdevMajor;
    [FieldOffset(132)] internal uint RdevMinor;
    [FieldOffset(152)] internal uint DioMemoryAlign;
    [FieldOffset(156)] internal uint DioOffsetAlign;

    internal readonly bool IsRegular => (Mode & 0xF000) == 0x8000;
    internal readonly bool IsBlockDevice => (Mode & 0xF000) == 0x6000;
    internal readonly bool IsDirectory => (Mode & 0xF000) == 0x4000;
}

/// <summary>struct statfs; the file system's magic number is all that is read.</summary>
[StructLayout(LayoutKind.Explicit, Size = 120)]
internal struct StatFs
{
    /// <summary>linux/magic.h.</summary>
    internal const long Ext4 = 0xEF53, Xfs = 0x58465342, Btrfs = 0x9123683E, F2fs = 0xF2F52010, Tmpfs = 0x01021994, Ramfs = 0x858458F6;

    [FieldOffset(0)] internal long Type;
}
