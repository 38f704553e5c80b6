using Spindle.Bdevs;
using Spindle.Blobs.Format;
using Spindle.Blobs.Metadata;

namespace Spindle.Blobs;

public sealed partial class Blobstore
{
    /// <summary>Makes a thin blob a clone of a snapshot: what is not its own reads as the snapshot from then on.</summary>
    /// <exception cref="SpindleException">EINVAL: the blob is not thin, the parent is no snapshot, reads through the blob, or has another size. EEXIST: it is its parent already.
    /// EBUSY: another change of one of them is under way. ENOSPC: no metadata page is free.</exception>
    public async Task SetParentAsync(Blob blob, Blob parent)
    {
        using var turn = await Lock.EnterAsync();
        CheckUsable();
        if (blob.Parent == parent) throw new SpindleException(Errno.EEXIST, "It is the parent already.");
        CheckChild(blob);
        if (!parent.IsReadOnly) throw new SpindleException(Errno.EINVAL, "The parent is not a snapshot: it can be written to.");
        if (parent.DescendsFrom(blob)) throw new SpindleException(Errno.EINVAL, "The parent reads through the blob itself.");
        if (parent.ClusterCount != blob.ClusterCount) throw new SpindleException(Errno.EINVAL, $"The parent has {parent.ClusterCount} clusters, and the blob {blob.ClusterCount}.");
        CheckFree(parent);
        await ChangeParentAsync(blob, next =>
        {
            next.RemoveInternal(BlobRecord.ExternalName);
            next.InvalidFlags &= ~BlobRecord.ExternalSnapshotFlag;
            next.SetInternal(BlobRecord.ParentName, parent.Id);
        }, parent, null);
    }

    /// <summary>Makes a thin blob a clone of a device outside of the store.</summary>
    /// <param name="blob">The blob.</param>
    /// <param name="id">What names the device.</param>
    /// <param name="outside">The device, open for reading.</param>
    /// <exception cref="SpindleException">EINVAL: the blob is not thin, or the device does not fit. EEXIST: it is its parent already. EBUSY: another change is under way.
    /// ENOSPC: no metadata page is free.</exception>
    public async Task SetExternalParentAsync(Blob blob, byte[] id, IBdevDescriptor outside)
    {
        using var turn = await Lock.EnterAsync();
        CheckUsable();
        if (blob.ExternalSnapshotId is { } before && before.AsSpan().SequenceEqual(id)) throw new SpindleException(Errno.EEXIST, "It is the parent already.");
        CheckChild(blob);
        CheckExternal(outside.Bdev);
        ulong size = outside.Bdev.BlockCount * outside.Bdev.BlockSize;
        if (size % ClusterSize != 0) throw new SpindleException(Errno.EINVAL, $"'{outside.Bdev.Name}' has {size} bytes, not a multiple of clusters of {ClusterSize}.");
        CheckXattr(BlobRecord.ExternalName, id);
        await ChangeParentAsync(blob, next =>
        {
            next.RemoveInternal(BlobRecord.ParentName);
            next.SetInternal(BlobRecord.ExternalName, id);
            next.InvalidFlags |= BlobRecord.ExternalSnapshotFlag;
        }, null, outside);
    }

    /// <summary>Copies the clusters that are a read-only blob's own to the same places of a device.</summary>
    /// <param name="blob">The blob.</param>
    /// <param name="target">The device, open for writing.</param>
    /// <param name="progress">Called with the clusters done, after each.</param>
    /// <exception cref="SpindleException">EPERM: the blob can be written to. EINVAL: the device is too small, or its blocks do not fit. EBUSY: another change of the blob is under way. Errors of the devices.</exception>
    public async Task ShallowCopyAsync(Blob blob, IBdevDescriptor target, Action<uint> progress)
    {
        CheckUsable();
        CheckFree(blob);
        if (!blob.IsReadOnly) throw new SpindleException(Errno.EPERM, "Only a read-only blob can be copied.");
        if (blob.Size > target.Bdev.BlockCount * target.Bdev.BlockSize) throw new SpindleException(Errno.EINVAL, $"'{target.Bdev.Name}' is smaller than the blob, {blob.Size} bytes.");
        CheckExternal(target.Bdev);
        Volatile.Write(ref blob.Busy, true);
        try
        {
            using var to = new MetadataIo(target, Io.Memory);
            uint done = 0;
            for (uint index = 0; index < blob.ClusterCount; index++)
            {
                if (blob.Map[index] == 0) continue;
                for (uint at = 0; at < ClusterSize; at += OutsidePiece)
                {
                    CheckUsable();
                    byte[] data = await Io.ReadAsync(ClusterOffset(blob.Map[index]) + at, (int)Math.Min(OutsidePiece, ClusterSize - at));
                    await to.WriteAsync(((ulong)index * ClusterSize) + at, data);
                }
                progress(++done);
            }
            await to.BarrierAsync();
        }
        finally
        {
            Volatile.Write(ref blob.Busy, false);
        }
    }

    private void CheckChild(Blob blob)
    {
        if (!blob.IsThin) throw new SpindleException(Errno.EINVAL, "The blob is not thin.");
        CheckFree(blob);
    }

    private async Task ChangeParentAsync(Blob blob, Action<BlobRecord> change, Blob? parent, IBdevDescriptor? outside)
    {
        var freeze = await BlobFreeze.BeginAsync(blob);
        try
        {
            var next = blob.Record.Copy();
            change(next);
            await CommitAsync(blob, next, [], [], isNew: false);
            (blob.Parent, blob.External) = (parent, outside);
            await freeze.ForgetExternalAsync();
        }
        finally
        {
            freeze.End();
        }
    }
}
