using Spindle.Bdevs;
using Spindle.Blobs.Format;
using Spindle.Blobs.Metadata;
using Spindle.Memory;

namespace Spindle.Blobs;

public sealed partial class Blobstore
{
    private const int OutsidePiece = 1 << 20;

    /// <summary>Fills a new cluster from a device outside of the store; behind its end are zeroes.</summary>
    internal async Task CopyFromOutsideAsync(Blob last, uint index, uint cluster)
    {
        if (last.External is not { } descriptor) throw new SpindleException(Errno.EIO, "The device outside of the store is not there.");
        using var outside = new MetadataIo(descriptor, Io.Memory);
        ulong from = (ulong)index * ClusterSize;
        for (uint done = 0; done < ClusterSize; done += OutsidePiece)
        {
            int piece = (int)Math.Min(OutsidePiece, ClusterSize - done);
            ulong at = from + done;
            byte[] data = new byte[piece];
            int there = at >= outside.Size ? 0 : (int)Math.Min((ulong)piece, outside.Size - at);
            if (there > 0) (await outside.ReadAsync(at, there)).CopyTo(data, 0);
            await Io.WriteAsync(ClusterOffset(cluster) + done, data);
        }
    }

    /// <summary>The devices outside of the store that are in use.</summary>
    public IReadOnlyCollection<IBdevDescriptor> Externals => [.. Blobs.Select(blob => blob.External).OfType<IBdevDescriptor>().Distinct()];

    /// <summary>Lets go of a device outside of the store that is going: no channel of it is left when this returns.</summary>
    public async Task ForgetExternalAsync(IBdevDescriptor outside)
    {
        foreach (var blob in Blobs.Where(blob => blob.External == outside).ToArray()) await SetExternalAsync(blob, null);
    }

    /// <summary>Gives a blob whose device outside of the store is not there that device, or takes it away: while it is none, what it holds cannot be read.</summary>
    /// <exception cref="SpindleException">EINVAL: the blob is no clone of such a device, or its blocks do not fit.</exception>
    public async Task SetExternalAsync(Blob blob, IBdevDescriptor? outside)
    {
        using var turn = await Lock.EnterAsync();
        if (blob.Record.ExternalSnapshotId is null) throw new SpindleException(Errno.EINVAL, "The blob is not a clone of a device outside of the store.");
        if (outside is not null) CheckExternal(outside.Bdev);
        var freeze = await BlobFreeze.BeginAsync(blob);
        try
        {
            blob.External = outside;
            await freeze.ForgetExternalAsync();
        }
        finally
        {
            freeze.End();
        }
    }
}
