using System.Text;
using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Blobs;
using Spindle.Blobs.Format;
using Spindle.Modules;

namespace Spindle.Bdev.Lvol;

/// <summary>The stores that are there: made, found on bdevs, and taken away with them. On the app thread.</summary>
public sealed class LvolStores(IModuleContext context)
{
    // What the super block of a store of volumes says that it is.
    private static readonly byte[] s_type = [.. "LVOLSTORE"u8, .. new byte[7]];

    private readonly ILogger _log = context.Logging.CreateLogger(context.ModuleName);
    private readonly List<LvolStore> _all = [];

    /// <summary>All of them, in the order in which they came.</summary>
    public IReadOnlyList<LvolStore> All => _all;

    internal IModuleContext Context => context;

    /// <summary>Makes a store on a bdev, whatever is there.</summary>
    /// <exception cref="SpindleException">EINVAL: a parameter. EEXIST: the name is taken. ENODEV: no such bdev. EPERM: it is in use. ENOSPC, ENOMEM: it is too small.</exception>
    public async Task<LvolStore> CreateAsync(string baseName, string name, BlobstoreOptions options)
    {
        Lvol.CheckName(name, "lvs_name");
        if (_all.Exists(store => store.Name == name)) throw new SpindleException(Errno.EEXIST, $"There is a store '{name}'.");
        var descriptor = Open(baseName);
        Blobstore? blobs = null;
        try
        {
            CheckBase(descriptor.Bdev);
            var outside = new ExternalSnapshots(context, _log);
            blobs = await Blobstore.CreateAsync(descriptor, context.Memory, new BlobstoreOptions
            {
                ClusterSize = options.ClusterSize, PageSize = options.PageSize, PagesPerCluster = options.PagesPerCluster, ClearMethod = options.ClearMethod, Type = s_type,
            }, outside.Open);
            var uuid = Guid.NewGuid();
            var super = await blobs.CreateBlobAsync(new BlobOptions { Xattrs = [new BlobXattr("uuid", Lvol.UuidValue(uuid)), new BlobXattr("name", Lvol.NameValue(name))] });
            await blobs.SetSuperBlobAsync(super);
            return Add(new LvolStore(name, uuid, blobs, descriptor), outside);
        }
        catch
        {
            if (blobs is not null) await blobs.AbandonAsync();
            descriptor.Close();
            throw;
        }
    }

    /// <summary>Looks for a store on a new bdev and brings up its volumes.</summary>
    public async Task ExamineAsync(Bdevs.Bdev bdev)
    {
        if (bdev.MetadataSize > 0 || bdev.IsZoned || !await StoreProbe.IsStoreAsync(context, bdev, s_type)) return;
        IBdevDescriptor descriptor;
        try
        {
            descriptor = Open(bdev.Name);
        }
        catch (SpindleException e)
        {
            _log.LogWarning("{Bdev} has a store of logical volumes and cannot be used: {Reason}", bdev.Name, e.Message);
            return;
        }
        Blobstore? blobs = null;
        var outside = new ExternalSnapshots(context, _log);
        try
        {
            blobs = await Blobstore.LoadAsync(descriptor, context.Memory, s_type, outside.Open);
            if (blobs.SuperBlob is not { } super) throw new SpindleException(Errno.EINVAL, "no blob describes it");
            string name = Lvol.TextOf(super.Xattr("name"));
            if (name.Length == 0 || !Guid.TryParseExact(Lvol.TextOf(super.Xattr("uuid")), "D", out var uuid)) throw new SpindleException(Errno.EINVAL, "its name or UUID is missing");
            if (_all.Exists(other => other.Name == name || other.Uuid == uuid)) throw new SpindleException(Errno.EEXIST, $"there is a store '{name}', or one with its UUID");
            var store = Add(new LvolStore(name, uuid, blobs, descriptor), outside);
            foreach (var blob in blobs.Blobs.Where(blob => blob != super)) Show(store.Add(blob));
        }
        catch (SpindleException e)
        {
            _log.LogError("The store of logical volumes on {Bdev} cannot be loaded: {Reason}", bdev.Name, e.Message);
            if (blobs is not null) await blobs.UnloadAsync();
            outside.CloseAll();
            descriptor.Close();
        }
    }

    /// <summary>A bdev appeared that clones may be waiting for.</summary>
    public async Task OnNewBdevAsync(Bdevs.Bdev bdev)
    {
        try
        {
            foreach (var store in _all.ToArray())
            {
                foreach (var lvol in store.Lvols.Where(lvol => lvol.Blob.IsDegraded && context.Bdevs.Find(Lvol.TextOf(lvol.Blob.ExternalSnapshotId)) == bdev).ToArray())
                {
                    if (store.IsLeaving || store.Externals.Open(lvol.Blob.ExternalSnapshotId!) is not { } descriptor) continue;
                    await store.Blobs.SetExternalAsync(lvol.Blob, descriptor);
                }
                foreach (var lvol in store.Lvols.Where(lvol => lvol.Bdev is null).ToArray()) Show(lvol);
            }
        }
        catch (SpindleException e)
        {
            _log.LogError("Clones of {Bdev} stay degraded: {Reason}", bdev.Name, e.Message);
        }
    }

    /// <summary>Deletes a store with all that is in it.</summary>
    /// <exception cref="SpindleException">ENODEV: it is being taken away. Errors of the bdev.</exception>
    public async Task DeleteAsync(LvolStore store)
    {
        CheckThere(store);
        store.IsLeaving = true;
        await HideAllAsync(store);
        try
        {
            await store.Blobs.DestroyAsync();
        }
        finally
        {
            Forget(store);
        }
    }

    /// <summary>Ends the use of a store so that it need not be recovered.</summary>
    public async Task UnloadAsync(LvolStore store)
    {
        if (store.IsLeaving) return;
        store.IsLeaving = true;
        await HideAllAsync(store);
        try
        {
            await store.Blobs.UnloadAsync();
        }
        catch (SpindleException e)
        {
            _log.LogError("Store {Store} could not be shut down cleanly and is recovered when it is next loaded: {Reason}", store.Name, e.Message);
        }
        finally
        {
            Forget(store);
        }
    }

    /// <summary>Renames a store.</summary>
    /// <exception cref="SpindleException">EINVAL, EEXIST: the name. ENOSPC.</exception>
    public async Task RenameAsync(LvolStore store, string name)
    {
        CheckThere(store);
        if (name == store.Name) return;
        Lvol.CheckName(name, "new_name");
        if (_all.Exists(other => other.Name == name)) throw new SpindleException(Errno.EEXIST, $"There is a store '{name}'.");
        await store.Blobs.SetXattrsAsync(store.Blobs.SuperBlob!, ("name", Lvol.NameValue(name)));
        string[] before = [.. store.Lvols.Select(lvol => lvol.Alias)];
        store.Name = name;
        for (int i = 0; i < before.Length; i++)
        {
            if (store.Lvols[i].Bdev is not { } bdev) continue;
            context.Bdevs.AddAlias(bdev, store.Lvols[i].Alias);
            context.Bdevs.RemoveAlias(bdev, before[i]);
        }
    }

    /// <exception cref="SpindleException">ENODEV: the store is being taken away.</exception>
    internal static void CheckThere(LvolStore store)
    {
        if (store.IsLeaving) throw new SpindleException(Errno.ENODEV, $"Store '{store.Name}' is being taken away.");
    }

    /// <summary>Registers the bdev of a volume, unless what it reads through is not there.</summary>
    internal void Show(Lvol lvol)
    {
        if (lvol.Bdev is not null) return;
        for (var blob = lvol.Blob; blob is not null; blob = blob.Parent)
            if (blob.IsDegraded) return;
        if (lvol.Blob.ClusterCount == 0) return;
        try
        {
            var bdev = new LvolBdev(lvol);
            context.Bdevs.Register(bdev);
            lvol.Bdev = bdev;
        }
        catch (SpindleException e)
        {
            _log.LogError("Volume {Volume} has no bdev: {Reason}", lvol.Alias, e.Message);
        }
    }

    internal async Task HideAsync(Lvol lvol)
    {
        if (lvol.Bdev is not { } bdev) return;
        try
        {
            if (context.Bdevs.Find(bdev.Name) == bdev) await context.Bdevs.UnregisterAsync(bdev);
        }
        catch (SpindleException e) when (e.Errno == Errno.ENODEV)
        {
            // Somebody else is removing it.
        }
        lvol.Bdev = null;
    }

    private async Task HideAllAsync(LvolStore store)
    {
        foreach (var lvol in store.Lvols.ToArray()) await HideAsync(lvol);
    }

    private LvolStore Add(LvolStore store, ExternalSnapshots outside)
    {
        (store.Externals, outside.Store) = (outside, store);
        _all.Add(store);
        return store;
    }

    private void Forget(LvolStore store)
    {
        _all.Remove(store);
        store.Externals.CloseAll();
        store.Descriptor.Close();
    }

    private IBdevDescriptor Open(string baseName)
    {
        var descriptor = context.Bdevs.Open(baseName, write: true, OnBaseEvent, this);
        try
        {
            context.Bdevs.Claim(descriptor, BdevClaimType.ExclusiveWrite);
            descriptor.Purpose = "logical volumes";
            return descriptor;
        }
        catch
        {
            descriptor.Close();
            throw;
        }
    }

    private static void CheckBase(Bdevs.Bdev bdev)
    {
        if (bdev.MetadataSize > 0) throw new SpindleException(Errno.EINVAL, $"'{bdev.Name}' has metadata in its blocks; use a bdev without.");
        if (bdev.IsZoned) throw new SpindleException(Errno.EINVAL, $"'{bdev.Name}' is zoned, and a store is written anywhere; use a bdev without zones.");
    }

    private static void OnBaseEvent(BdevEventType type, Bdevs.Bdev bdev, object? state)
    {
        if (type == BdevEventType.Remove) _ = ((LvolStores)state!).LoseAsync(bdev);
    }

    private async Task LoseAsync(Bdevs.Bdev bdev)
    {
        // One that is being loaded or deleted ends by itself, with an error of its device.
        if (_all.Find(store => store.Descriptor.Bdev == bdev && !store.IsLeaving) is not { } store) return;
        store.IsLeaving = true;
        try
        {
            var abandoned = store.Blobs.AbandonAsync();
            await HideAllAsync(store);
            await abandoned;
        }
        catch (Exception e)
        {
            _log.LogError(e, "Store {Store} cannot be taken away", store.Name);
        }
        finally
        {
            Forget(store);
        }
    }
}
