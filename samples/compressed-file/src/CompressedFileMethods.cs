using Microsoft.Extensions.Logging;
using Spindle;
using Spindle.Bdevs;
using Spindle.Io;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Threading;

namespace Acme.CompressedFile;

[RpcObject]
public sealed class CreateParameters
{
    [RpcMember(Required = true, Summary = "The bdev's name.")] public string Name { get; set; } = "";
    [RpcMember(Required = true, Summary = "The file; made when there is none.")] public string Filename { get; set; } = "";
    [RpcMember(Summary = "The disk's size in MiB, 1 to 16384. Needed for a new file; of an existing one it must be the size it has.")] public ulong SizeMib { get; set; }
    [RpcMember(Summary = "The identity of a new disk; made up when absent.")] public Guid? Uuid { get; set; }
}

[RpcObject]
public sealed class NameParameters
{
    [RpcMember(Required = true, Summary = "The bdev's name.")] public string Name { get; set; } = "";
}

public sealed class CompressedFileMethods(IModuleContext context, CompressedFileModule module)
{
    private readonly ILogger _log = context.Logging.CreateLogger("disk");

    [RpcMethod("acme_compressedfile_create", Summary = "Serve a disk from a compressed file, which is made if there is none; returns its name.")]
    public async Task<string> CreateAsync(CreateParameters p)
    {
        if (p.Name.Length == 0) throw new SpindleException(Errno.EINVAL, "name is empty; give the bdev one.");
        if (context.Bdevs.Find(p.Name) is not null) throw new SpindleException(Errno.EEXIST, $"name: there is a bdev '{p.Name}'; give another.");
        if (p.Filename.Length == 0) throw new SpindleException(Errno.EINVAL, "filename is empty; name the file.");
        if (p.SizeMib > StoreFormat.MaxSizeMib) throw new SpindleException(Errno.EINVAL, $"size_mib is {p.SizeMib}; it must be 1 to {StoreFormat.MaxSizeMib}.");
        string path = Path.GetFullPath(p.Filename);
        if (!File.Exists(path))
        {
            if (p.SizeMib == 0) throw new SpindleException(Errno.EINVAL, $"size_mib is missing, and there is no file {path}; say how large the new disk is to be.");
            await StoreFormat.CreateAsync(path, p.SizeMib, p.Uuid ?? Guid.NewGuid());
        }
        var loaded = await StoreFormat.LoadAsync(path);
        try
        {
            ulong mib = loaded.Map.Chunks * StoreFormat.ChunkSize >> 20;
            if (p.SizeMib != 0 && p.SizeMib != mib) throw new SpindleException(Errno.EINVAL, $"size_mib is {p.SizeMib}, but the disk in {path} has {mib}; leave it out to take the disk as it is.");
            if (p.Uuid is { } uuid && uuid != loaded.Uuid) throw new SpindleException(Errno.EINVAL, $"uuid is {uuid}, but the disk in {path} has {loaded.Uuid}; leave it out to take the disk as it is.");
            var disk = new CompressedDisk(p.Name, path, loaded, await OpenStoreAsync(p.Name, path, loaded), _log);
            try
            {
                context.Bdevs.Register(disk);
            }
            catch
            {
                await disk.DestructAsync();
                throw;
            }
            return p.Name;
        }
        catch
        {
            loaded.Dispose();
            throw;
        }
    }

    private async Task<ChunkStore> OpenStoreAsync(string name, string path, LoadedStore loaded)
    {
        var file = module.Wrap(context.Io.OpenFile(path, new FileOpenOptions(Direct: false)));
        IStorageThread? thread = null;
        try
        {
            thread = context.Threads.CreateThread($"compressed_{name}");
            return new ChunkStore(loaded, file, thread, context.Memory);
        }
        catch
        {
            if (thread is not null) await thread.ExitAsync();
            file.Dispose();
            throw;
        }
    }

    [RpcMethod("acme_compressedfile_delete", Summary = "Take a disk away. Its file stays, and has everything.")]
    public Task Delete(NameParameters p) => context.Bdevs.UnregisterAsync(context.Bdevs.Find(p.Name) as CompressedDisk
        ?? throw new SpindleException(Errno.ENODEV, $"name: there is no compressed disk '{p.Name}'."));
}
