using Spindle.Bdevs;
using Spindle.Blobs;
using Spindle.Blobs.Data;
using Spindle.Blobs.Format;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Blobstore;

/// <summary>A test with stores on disks in memory.</summary>
public abstract class StoreTest(ContractHost host) : BdevTest(host)
{
    protected const uint Cluster = 16384;

    /// <summary>A store that is open, with its disk.</summary>
    protected sealed record OpenStore(Spindle.Blobs.Blobstore Store, IBdevDescriptor Descriptor, string Disk);

    protected async Task<OpenStore> OpenStoreAsync(string disk, BlobstoreOptions? create = null, ExternalSnapshotResolver? resolver = null) => await Host.OnAppAsync(async () =>
    {
        var descriptor = Host.Registry.Open(disk, write: true, static (_, _, _) => { });
        try
        {
            var store = create is null ? await Spindle.Blobs.Blobstore.LoadAsync(descriptor, Host.Environment.Memory, default, resolver)
                : await Spindle.Blobs.Blobstore.CreateAsync(descriptor, Host.Environment.Memory, create, resolver);
            return new OpenStore(store, descriptor, disk);
        }
        catch
        {
            descriptor.Close();
            throw;
        }
    });

    protected Task CloseStoreAsync(OpenStore open, bool clean = true) => Host.OnAppAsync(async () =>
    {
        if (clean) await open.Store.UnloadAsync();
        else await open.Store.AbandonAsync();
        open.Descriptor.Close();
    });

    protected async Task<OpenStore> NewStoreAsync(uint blockSize = 512, ulong size = 2 << 20, uint cluster = Cluster)
    {
        var disk = new MemoryDisk(ContractHost.NewName("storedisk"), blockSize, size / blockSize) { CompletesLater = false };
        await Host.RegisterAsync(disk);
        Track(disk.Name);
        return await OpenStoreAsync(disk.Name, new BlobstoreOptions { ClusterSize = cluster });
    }

    protected static BlobXattr Named(string name) => new("name", System.Text.Encoding.UTF8.GetBytes(name + '\0'));

    protected static string NameOf(Blob blob) => StoredImage.NameOf(blob.Record);

    /// <summary>Shows a blob as a bdev.</summary>
    protected async Task<string> ShowAsync(Blob blob)
    {
        string name = ContractHost.NewName("blob");
        await Host.RegisterAsync(new BlobBdev(name, "Test blob", blob, Guid.NewGuid()));
        return Track(name);
    }

    protected Task<Blob> CreateBlobAsync(OpenStore open, string name, uint clusters, bool thin, bool table = true) => Host.OnAppAsync(() =>
        open.Store.CreateBlobAsync(new BlobOptions { ClusterCount = clusters, Thin = thin, UseExtentTable = table, Xattrs = [Named(name)] }));
}
