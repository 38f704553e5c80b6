using Spindle.Host.Environments.Linux.Interop;
using Spindle.Io;

namespace Spindle.Host.Environments.Linux.Io;

/// <summary>An open file or block device.</summary>
internal sealed unsafe class LinuxFile : RingFile
{
    private int _fd;

    private LinuxFile(int fd, string path) => (_fd, Path) = (fd, path);

    /// <summary>The descriptor, -1 when closed.</summary>
    internal int Fd => _fd;

    public override string Path { get; }
    public override bool IsDirect => Direct;
    public override uint Alignment => Direct ? Align : 1;
    public override bool IsBlockDevice => BlockDevice;
    public override uint LogicalBlockSize => BlockDevice || Direct ? BlockSize : 1;
    public override bool IsReadOnly => ReadOnly;
    public override bool CanDeallocate => Deallocates;
    public override bool CanWriteZeroes => Zeroes;

    /// <summary>True for a file whose data is in memory and nowhere else (tmpfs, ramfs): a read or write takes the time of a copy and waits for no
    /// device. (Where the system has swapped it out it does wait; it would with SPDK's asynchronous I/O as well.)</summary>
    internal bool IsInMemory { get; private init; }

    private bool Direct { get; init; }
    private bool BlockDevice { get; init; }
    private bool ReadOnly { get; init; }
    private bool Deallocates { get; init; }
    private bool Zeroes { get; init; }
    private uint Align { get; init; }
    private uint BlockSize { get; init; }

    public override long Length
    {
        get
        {
            // lseek knows the size of both regular files and block devices; nothing here uses the file position.
            var length = Libc.lseek(_fd, 0, Libc.SEEK_END);
            if (length >= 0) return length;
            var error = Libc.LastError;
            throw new SpindleException(error, $"Cannot find the size of '{Path}': {Errno.Message(error)}.");
        }
    }

    public override void Dispose()
    {
        var fd = Interlocked.Exchange(ref _fd, -1);
        if (fd >= 0) _ = Libc.close(fd);
    }

    /// <summary>Opens a file as <see cref="IIoPlatform.OpenFile"/> says.</summary>
    internal static LinuxFile Open(string path, FileOpenOptions options)
    {
        if (string.IsNullOrEmpty(path) || path.Contains('\0')) throw new SpindleException(Errno.EINVAL, "A file's path must not be empty or hold a zero byte.");
        if (options.Create) CreateIfMissing(path, options.CreateLength);
        var flags = (options.ReadOnly ? Libc.O_RDONLY : Libc.O_RDWR) | Libc.O_CLOEXEC;
        var direct = options.Direct;
        var fd = Libc.open(path, direct ? flags | Libc.O_DIRECT : flags, 0);
        // Filesystems without direct I/O refuse it with EINVAL (open(2)).
        if (fd < 0 && direct && Libc.LastError == Errno.EINVAL)
        {
            direct = false;
            fd = Libc.open(path, flags, 0);
        }
        if (fd < 0) throw OpenError(path, Libc.LastError, options.ReadOnly);
        try
        {
            return Examine(fd, path, flags, direct, options.ReadOnly);
        }
        catch
        {
            _ = Libc.close(fd);
            throw;
        }
    }

    private static LinuxFile Examine(int fd, string path, int flags, bool direct, bool readOnly)
    {
        Statx status;
        byte empty = 0;
        if (Libc.statx(fd, &empty, Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS | Libc.STATX_DIOALIGN, &status) < 0) throw OpenError(path, Libc.LastError, false);
        if (status.IsDirectory) throw new SpindleException(Errno.EISDIR, $"'{path}' is a directory; give a file or a block device.");
        if (!status.IsRegular && !status.IsBlockDevice) throw new SpindleException(Errno.EINVAL, $"'{path}' is neither a regular file nor a block device.");

        var logical = 0;
        if (status.IsBlockDevice && Libc.ioctl(fd, Libc.BLKSSZGET, &logical) < 0) logical = 512;
        var alignment = (uint)logical;
        if (direct && !FindAlignment(fd, status, ref alignment))
        {
            // Opened with O_DIRECT, yet the file says that it cannot (statx(2), stx_dio_offset_align 0).
            SetBuffered(fd, path, flags);
            direct = false;
        }
        return new LinuxFile(fd, path)
        {
            Direct = direct,
            IsInMemory = status.IsRegular && FileSystem(fd) is (StatFs.Tmpfs or StatFs.Ramfs),
            BlockDevice = status.IsBlockDevice,
            ReadOnly = readOnly,
            Align = alignment,
            BlockSize = status.IsBlockDevice ? (uint)logical : alignment,
            Deallocates = !readOnly && (status.IsBlockDevice ? BlockDeviceZeroes(status) : PunchesHoles(fd)),
            Zeroes = !readOnly && (status.IsBlockDevice || ZeroesRanges(fd)),
        };
    }

    /// <returns>False when the file has no direct I/O.</returns>
    private static bool FindAlignment(int fd, in Statx status, ref uint alignment)
    {
        if ((status.Mask & Libc.STATX_DIOALIGN) != 0)
        {
            if (status.DioOffsetAlign == 0) return false;
            alignment = Math.Max(alignment, Math.Max(status.DioOffsetAlign, status.DioMemoryAlign));
        }
        else if (alignment == 0)
        {
            // Kernels before 6.1 do not tell. A page suits every filesystem.
            alignment = 4096;
        }
        return true;
    }

    private static void SetBuffered(int fd, string path, int flags)
    {
        if (Libc.fcntl(fd, Libc.F_SETFL, flags & ~Libc.O_CLOEXEC) < 0) throw OpenError(path, Libc.LastError, false);
    }

    private static void CreateIfMissing(string path, long length)
    {
        if (length < 0) throw new SpindleException(Errno.EINVAL, $"The length for creating '{path}' must not be negative.");
        var fd = Libc.open(path, Libc.O_RDWR | Libc.O_CREAT | Libc.O_EXCL | Libc.O_CLOEXEC, Convert.ToUInt32("644", 8));
        if (fd < 0)
        {
            if (Libc.LastError == Errno.EEXIST) return;
            throw OpenError(path, Libc.LastError, false);
        }
        var error = Libc.ftruncate(fd, length) < 0 ? Libc.LastError : 0;
        _ = Libc.close(fd);
        if (error == 0) return;
        _ = Libc.unlink(path);
        throw new SpindleException(error, $"Cannot make '{path}' {length} bytes long: {Errno.Message(error)}.");
    }

    /// <summary>Punching a hole past the end changes nothing, so it tells whether the filesystem can.</summary>
    private static bool PunchesHoles(int fd)
    {
        var length = Libc.lseek(fd, 0, Libc.SEEK_END);
        var past = (length + 0xFFFF) & ~0xFFFFL;
        return Libc.fallocate(fd, Libc.FALLOC_FL_PUNCH_HOLE | Libc.FALLOC_FL_KEEP_SIZE, past, 4096) == 0;
    }

    /// <summary>Zeroing a range can not be tried without allocating blocks, so the filesystems that do it are known by name.</summary>
    private static bool ZeroesRanges(int fd) => FileSystem(fd) is StatFs.Ext4 or StatFs.Xfs or StatFs.Btrfs or StatFs.F2fs;

    /// <summary>The magic number of the filesystem; 0 when it cannot be told.</summary>
    private static long FileSystem(int fd)
    {
        StatFs fs;
        return Libc.fstatfs(fd, &fs) == 0 ? fs.Type : 0;
    }

    /// <summary>A hole in a block device needs a device that zeroes by itself (Documentation/ABI/stable/sysfs-block, write_zeroes_max_bytes).</summary>
    private static bool BlockDeviceZeroes(in Statx status)
    {
        var device = $"/sys/dev/block/{status.RdevMajor}:{status.RdevMinor}";
        foreach (var folder in (ReadOnlySpan<string>)["queue", "../queue"])
        {
            try
            {
                var file = $"{device}/{folder}/write_zeroes_max_bytes";
                if (File.Exists(file)) return long.TryParse(File.ReadAllText(file).Trim(), out var bytes) && bytes > 0;
            }
            catch (IOException)
            {
                return false;
            }
        }
        return false;
    }

    private static SpindleException OpenError(string path, int error, bool readOnly)
    {
        var remedy = error switch
        {
            Errno.ENOENT => " Check the path, or ask for the file to be created.",
            Errno.EACCES or Errno.EPERM => " Give this user access to it.",
            Errno.EROFS when !readOnly => " Open it read-only.",
            Errno.EBUSY => " Something else holds the device.",
            _ => "",
        };
        return new SpindleException(error, $"Cannot open '{path}': {Errno.Message(error)}.{remedy}");
    }
}
