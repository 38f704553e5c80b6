using System.Numerics;
using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Io;
using Spindle.Modules;
using Spindle.Rpc;

namespace Spindle.Bdev.Aio;

/// <summary>The module's RPC methods.</summary>
public sealed class AioRpc(IModuleContext context)
{
    private const uint LargestBlock = 65536;

    private readonly ILogger _log = context.Logging.CreateLogger("bdev-aio");

    /// <summary>Makes a bdev on a file or block device; returns its name when it was examined.</summary>
    /// <exception cref="SpindleException">EINVAL: a parameter does not fit the file. EEXIST: the name or UUID is taken. The system's error when the file cannot be opened.</exception>
    [RpcMethod("bdev_aio_create", Summary = "Create a bdev on a file or block device; returns its name.")]
    public async Task<string> CreateAsync(AioCreateParameters p)
    {
        Require(p.Name.Length > 0, "name is empty.");
        Require(p.Filename.Length > 0, "filename is empty.");
        if (context.Bdevs.Find(p.Name) is not null) throw new SpindleException(Errno.EEXIST, $"Bdev name '{p.Name}' is taken: choose another name.");
        var file = Open(p, direct: true);
        if (file.IsDirect && !file.IsBlockDevice && p.BlockSize != 0 && p.BlockSize % Math.Max(file.LogicalBlockSize, 1) != 0)
        {
            // Direct I/O does not do blocks as small as these; the page cache does.
            file.Dispose();
            file = Open(p, direct: false);
        }
        try
        {
            uint blockSize = CheckedBlockSize(p, file);
            context.Bdevs.Register(new AioBdev(p, file, blockSize, context));
        }
        catch
        {
            file.Dispose();
            throw;
        }
        if (!file.IsDirect) _log.LogInformation("{Name}: {File} does not allow direct I/O of such blocks; it goes through the page cache", p.Name, p.Filename);
        await context.Bdevs.WaitForExamineAsync();
        return p.Name;
    }

    /// <summary>Deletes a bdev that this module made; the file stays.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev.</exception>
    [RpcMethod("bdev_aio_delete", Summary = "Delete an aio bdev; the file stays.")]
    public async Task<bool> DeleteAsync(AioNameParameters parameters)
    {
        await context.Bdevs.UnregisterAsync(Find(parameters.Name));
        return true;
    }

    /// <summary>Looks at the file's size again: tells those who have the bdev open of growth, and removes a bdev whose device has gone.</summary>
    /// <exception cref="SpindleException">ENODEV: there is no such bdev. EBUSY: the file has shrunk while the bdev is open.</exception>
    [RpcMethod("bdev_aio_rescan", Summary = "Follow a change of the file's size.")]
    public bool Rescan(AioNameParameters parameters)
    {
        var bdev = Find(parameters.Name);
        long length = bdev.File.Length;
        if (length == 0)
        {
            _ = RemoveAsync(bdev);
            return true;
        }
        ulong blocks = (ulong)length / bdev.BlockSize;
        Require(blocks > 0, $"'{bdev.File.Path}' has shrunk to {length} bytes, less than a block of {bdev.BlockSize}.");
        if (blocks != bdev.BlockCount) context.Bdevs.Resize(bdev, blocks);
        return true;
    }

    private async Task RemoveAsync(AioBdev bdev)
    {
        try
        {
            _log.LogWarning("{Name}: {File} has no size any more; the bdev is removed", bdev.Name, bdev.File.Path);
            await context.Bdevs.UnregisterAsync(bdev);
        }
        catch (SpindleException e)
        {
            _log.LogError("{Name} could not be removed: {Reason}", bdev.Name, e.Message);
        }
    }

    private AioBdev Find(string name) =>
        context.Bdevs.Find(name) as AioBdev ?? throw new SpindleException(Errno.ENODEV, $"There is no aio bdev '{name}'.");

    private RingFile Open(AioCreateParameters p, bool direct)
    {
        try
        {
            return context.Io.OpenFile(p.Filename, new FileOpenOptions(ReadOnly: p.Readonly, Direct: direct));
        }
        catch (SpindleException e)
        {
            string remedy = e.Errno switch
            {
                Errno.ENOENT => $"; make it first, with 'truncate -s 1G {p.Filename}' for example",
                Errno.EACCES or Errno.EPERM or Errno.EROFS when !p.Readonly => "; give readonly, or the right to write to it",
                _ => "",
            };
            throw new SpindleException(e.Errno, $"filename '{p.Filename}' cannot be opened: {Errno.Message(e.Errno)}{remedy}.");
        }
    }

    private static uint CheckedBlockSize(AioCreateParameters p, RingFile file)
    {
        uint logical = Math.Max(file.LogicalBlockSize, 1);
        uint blockSize = p.BlockSize != 0 ? p.BlockSize : Math.Max(512, logical);
        Require(blockSize is >= 512 and <= LargestBlock && BitOperations.IsPow2(blockSize),
            $"block_size {blockSize} must be a power of two, from 512 to {LargestBlock}.");
        Require(blockSize >= logical && blockSize % logical == 0,
            $"block_size {blockSize} does not fit '{p.Filename}', whose logical blocks have {logical} bytes: give {logical} or a multiple, or leave it out.");
        Require(!p.Nowait || file.IsBlockDevice, $"nowait is for block devices, and '{p.Filename}' is not one: leave it out.");
        long length = file.Length;
        Require(length > 0, $"'{p.Filename}' is empty: give it a size, with 'truncate -s 1G {p.Filename}' for example.");
        Require(length % blockSize == 0, $"'{p.Filename}' has {length} bytes, which is not a multiple of block_size {blockSize}.");
        return blockSize;
    }

    private static void Require(bool condition, string message)
    {
        if (!condition) throw new SpindleException(Errno.EINVAL, message);
    }
}
