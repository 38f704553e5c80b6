using Spindle.Bdevs;
using Spindle.Blobs;
using Spindle.Blobs.Format;
using Spindle.Modules;

namespace Spindle.Bdev.Lvol;

/// <summary>What is done to volumes. On the app thread. A failure leaves everything as it was, unless the device failed.</summary>
public sealed class Lvols(LvolStores stores, IModuleContext context)
{
    // Whoever asks for more has mistaken the unit.
    private const ulong MostMebibytes = 1UL << 40;

    /// <summary>The volume whose bdev has a name, alias or UUID; null when it is no volume's.</summary>
    public Lvol? Find(string name)
    {
        var bdev = context.Bdevs.Find(name);
        if (bdev is not null) return All.FirstOrDefault(lvol => lvol.Bdev == bdev);
        // One that is degraded has no bdev.
        return All.FirstOrDefault(lvol => lvol.Bdev is null && (lvol.Id == name || lvol.Alias == name));
    }

    /// <summary>The volumes of all stores.</summary>
    public IEnumerable<Lvol> All => stores.All.SelectMany(store => store.Lvols);

    /// <summary>Makes a volume.</summary>
    /// <exception cref="SpindleException">EINVAL: a parameter. EEXIST: the name is taken. ENOSPC.</exception>
    public Task<Lvol> CreateAsync(LvolStore store, string name, ulong mebibytes, bool thin, ClearMethod clearMethod)
    {
        store.CheckNewName(name, "lvol_name");
        uint clusters = Clusters(store, mebibytes);
        return AddAsync(store, () => store.Blobs.CreateBlobAsync(new BlobOptions { ClusterCount = clusters, Thin = thin, ClearMethod = clearMethod, Xattrs = Lvol.Xattrs(name) }));
    }

    /// <summary>Makes a snapshot.</summary>
    /// <exception cref="SpindleException">EINVAL: a name, or the volume is read-only. EEXIST: the name is taken. EBUSY: it is being changed. ENOSPC.</exception>
    public Task<Lvol> SnapshotAsync(Lvol lvol, string name)
    {
        lvol.Store.CheckNewName(name, "snapshot_name");
        return AddAsync(lvol.Store, () => lvol.Store.Blobs.SnapshotAsync(lvol.Blob, Lvol.Xattrs(name)));
    }

    /// <summary>Makes a clone of a snapshot.</summary>
    /// <exception cref="SpindleException">As of <see cref="SnapshotAsync"/>; EINVAL also: it is not read-only.</exception>
    public Task<Lvol> CloneAsync(Lvol snapshot, string name)
    {
        snapshot.Store.CheckNewName(name, "clone_name");
        return AddAsync(snapshot.Store, () => snapshot.Store.Blobs.CloneAsync(snapshot.Blob, Lvol.Xattrs(name)));
    }

    /// <summary>Makes a clone of a bdev outside of the store, which nobody may write to from then on.</summary>
    /// <exception cref="SpindleException">EINVAL: a name, or the bdev's blocks do not fit. EPERM: it is written to. ENOSPC.</exception>
    public Task<Lvol> CloneBdevAsync(LvolStore store, Bdevs.Bdev bdev, string name)
    {
        store.CheckNewName(name, "clone_name");
        if (store.Blobs.IoUnitSize % bdev.BlockSize != 0)
            throw new SpindleException(Errno.EINVAL, $"'{bdev.Name}' has blocks of {bdev.BlockSize} bytes, which do not fit those of '{store.Name}', {store.Blobs.IoUnitSize}.");
        if (bdev.MetadataSize > 0) throw new SpindleException(Errno.EINVAL, $"'{bdev.Name}' has metadata in its blocks.");
        byte[] id = Lvol.UuidValue(bdev.Uuid);
        // Tried before anything is written.
        if (store.Externals.Open(id) is null) throw new SpindleException(Errno.EPERM, $"'{bdev.Name}' is open for writing; a bdev that clones read through must not change.");
        store.Externals.CloseUnused();
        ulong clusters = ((bdev.BlockCount * bdev.BlockSize) + store.Blobs.ClusterSize - 1) / store.Blobs.ClusterSize;
        if (clusters > uint.MaxValue) throw new SpindleException(Errno.EINVAL, $"'{bdev.Name}' is too large for clusters of {store.Blobs.ClusterSize} bytes.");
        return AddAsync(store, () => store.Blobs.CreateBlobAsync(new BlobOptions { ClusterCount = (uint)clusters, ExternalSnapshotId = id, Xattrs = Lvol.Xattrs(name) }));
    }

    /// <summary>Gives a volume all its clusters, and makes it independent.</summary>
    /// <exception cref="SpindleException">ENOSPC. EBUSY: it is being changed. Errors of the bdev.</exception>
    public async Task InflateAsync(Lvol lvol)
    {
        LvolStores.CheckThere(lvol.Store);
        await lvol.Store.Blobs.InflateAsync(lvol.Blob);
        lvol.Store.Externals.CloseUnused();
    }

    /// <summary>Makes a clone independent of its snapshot, but not of what that is a clone of.</summary>
    /// <exception cref="SpindleException">EINVAL: it is no clone. Others as of <see cref="InflateAsync"/>.</exception>
    public async Task DecoupleAsync(Lvol lvol)
    {
        LvolStores.CheckThere(lvol.Store);
        await lvol.Store.Blobs.DecoupleParentAsync(lvol.Blob);
        lvol.Store.Externals.CloseUnused();
    }

    /// <summary>Makes a thin volume a clone of a snapshot of the same store.</summary>
    /// <exception cref="SpindleException">EINVAL: they do not fit. EEXIST: it is its snapshot already. EBUSY: one of them is being changed. ENOSPC.</exception>
    public async Task SetParentAsync(Lvol lvol, Lvol parent)
    {
        LvolStores.CheckThere(lvol.Store);
        if (lvol.Store != parent.Store) throw new SpindleException(Errno.EINVAL, $"'{parent.Alias}' is in another store; use bdev_lvol_set_parent_bdev.");
        await lvol.Store.Blobs.SetParentAsync(lvol.Blob, parent.Blob);
        lvol.Store.Externals.CloseUnused();
    }

    /// <summary>Makes a thin volume a clone of a bdev outside of the store.</summary>
    /// <exception cref="SpindleException">As of <see cref="SetParentAsync"/>; EPERM also: the bdev is open for writing.</exception>
    public async Task SetParentBdevAsync(Lvol lvol, Bdevs.Bdev bdev)
    {
        LvolStores.CheckThere(lvol.Store);
        if (All.FirstOrDefault(other => other.Bdev == bdev) is { } other && other.Store == lvol.Store)
            throw new SpindleException(Errno.EINVAL, $"'{other.Alias}' is in the same store; use bdev_lvol_set_parent.");
        byte[] id = Lvol.UuidValue(bdev.Uuid);
        var outside = lvol.Store.Externals.Open(id) ?? throw new SpindleException(Errno.EPERM, $"'{bdev.Name}' is open for writing; a bdev that clones read through must not change.");
        try
        {
            await lvol.Store.Blobs.SetExternalParentAsync(lvol.Blob, id, outside);
        }
        finally
        {
            lvol.Store.Externals.CloseUnused();
        }
    }

    /// <summary>Renames a volume.</summary>
    /// <exception cref="SpindleException">EINVAL, EEXIST: the name. ENOSPC.</exception>
    public async Task RenameAsync(Lvol lvol, string name)
    {
        LvolStores.CheckThere(lvol.Store);
        if (name == lvol.Name) return;
        lvol.Store.CheckNewName(name, "new_name");
        string before = lvol.Alias, after = $"{lvol.Store.Name}/{name}";
        if (lvol.Bdev is { } bdev) context.Bdevs.AddAlias(bdev, after);
        try
        {
            await lvol.Store.Blobs.SetXattrsAsync(lvol.Blob, ("name", Lvol.NameValue(name)));
        }
        catch
        {
            if (lvol.Bdev is { } still) context.Bdevs.RemoveAlias(still, after);
            throw;
        }
        lvol.Name = name;
        if (lvol.Bdev is { } renamed) context.Bdevs.RemoveAlias(renamed, before);
    }

    /// <summary>Changes the size. What is added reads as zeroes.</summary>
    /// <exception cref="SpindleException">EINVAL: the size. EPERM: it is read-only. EBUSY: it would shrink while it is open, or it is being changed. ENOSPC.</exception>
    public async Task ResizeAsync(Lvol lvol, ulong mebibytes)
    {
        LvolStores.CheckThere(lvol.Store);
        uint clusters = Clusters(lvol.Store, mebibytes);
        ulong blocks = (ulong)clusters * lvol.Store.Blobs.ClusterSize / lvol.Store.Blobs.IoUnitSize;
        var bdev = lvol.Bdev;
        ulong before = bdev?.BlockCount ?? 0;
        if (lvol.Blob.IsReadOnly) throw new SpindleException(Errno.EPERM, $"'{lvol.Alias}' is read-only.");
        // Nobody must be able to ask for what is about to go.
        bool shrinks = bdev is not null && blocks < before;
        if (shrinks) context.Bdevs.Resize(bdev!, blocks);
        try
        {
            await lvol.Store.Blobs.ResizeAsync(lvol.Blob, clusters);
        }
        catch
        {
            if (shrinks) context.Bdevs.Resize(bdev!, before);
            throw;
        }
        if (bdev is not null && blocks > before) context.Bdevs.Resize(bdev, blocks);
    }

    /// <summary>Makes a volume read-only, for good.</summary>
    /// <exception cref="SpindleException">ENOSPC.</exception>
    public Task SetReadOnlyAsync(Lvol lvol)
    {
        LvolStores.CheckThere(lvol.Store);
        return lvol.Store.Blobs.SetReadOnlyAsync(lvol.Blob);
    }

    /// <summary>Deletes a volume. A snapshot with one clone gives it what that reads through it.</summary>
    /// <exception cref="SpindleException">EPERM: it has several clones. EBUSY: it or its clone is being changed. ENOSPC: no metadata page is free.</exception>
    public async Task DeleteAsync(Lvol lvol)
    {
        var store = lvol.Store;
        LvolStores.CheckThere(store);
        int clones = lvol.Blob.Clones.Count();
        if (clones > 1) throw new SpindleException(Errno.EPERM, $"'{lvol.Alias}' has {clones} clones; delete or decouple them first.");
        if (lvol.Blob.IsBusy || lvol.Blob.Clones.Any(clone => clone.IsBusy)) throw new SpindleException(Errno.EBUSY, $"'{lvol.Alias}' or its clone is being changed.");
        await stores.HideAsync(lvol);
        try
        {
            await store.Blobs.DeleteBlobAsync(lvol.Blob);
        }
        catch
        {
            if (!store.IsLeaving) stores.Show(lvol);
            throw;
        }
        store.Remove(lvol);
        store.Externals.CloseUnused();
    }

    private async Task<Lvol> AddAsync(LvolStore store, Func<Task<Blob>> make)
    {
        LvolStores.CheckThere(store);
        var lvol = store.Add(await make());
        if (!store.IsLeaving) stores.Show(lvol);
        return lvol;
    }

    private static uint Clusters(LvolStore store, ulong mebibytes)
    {
        if (mebibytes is 0 or > MostMebibytes) throw new SpindleException(Errno.EINVAL, $"size_in_mib is {mebibytes}; it must be 1 to {MostMebibytes}.");
        ulong clusters = ((mebibytes << 20) + store.Blobs.ClusterSize - 1) / store.Blobs.ClusterSize;
        if (clusters > uint.MaxValue) throw new SpindleException(Errno.EINVAL, $"size_in_mib is {mebibytes}, too much for clusters of {store.Blobs.ClusterSize} bytes.");
        return (uint)clusters;
    }
}
