using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.Blobs.Data;

/// <summary>A blob as a bdev. Its module registers it, and gives it back to the store when it is destructed.</summary>
public class BlobBdev : Bdev
{
    /// <param name="name">Its name.</param>
    /// <param name="productName">The kind of device, for people.</param>
    /// <param name="blob">The blob, which has no other bdev.</param>
    /// <param name="uuid">Its identity.</param>
    public BlobBdev(string name, string productName, Blob blob, Guid uuid)
        : base(name, productName, blob.Store.IoUnitSize, blob.Size / blob.Store.IoUnitSize)
    {
        Blob = blob;
        Uuid = uuid;
        var lower = blob.Store.Device;
        BaseBdevNames = [lower.Name];
        RequiredAlignment = lower.RequiredAlignment;
        WriteCache = lower.WriteCache;
        PhysicalBlockSize = lower.PhysicalBlockSize;
        // A read or write never crosses a cluster: it is at one place on the device, or nowhere.
        OptimalIoBoundary = blob.Store.ClusterSize / blob.Store.IoUnitSize;
        SplitOnOptimalIoBoundary = true;
    }

    /// <summary>The blob.</summary>
    public Blob Blob { get; }

    /// <inheritdoc/>
    public override bool Supports(BdevIoType type) => type switch
    {
        BdevIoType.Read or BdevIoType.Reset or BdevIoType.SeekData or BdevIoType.SeekHole => true,
        BdevIoType.Write or BdevIoType.WriteZeroes or BdevIoType.Unmap => !Blob.IsReadOnly,
        BdevIoType.Flush => Blob.Store.Device.Supports(BdevIoType.Flush),
        _ => false,
    };

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread) => new BlobChannel(Blob, Blob.Store.OpenDevice(), thread);

    /// <inheritdoc/>
    public override object CreateIoContext(BdevIo io) => new BlobIo(io);

    /// <inheritdoc/>
    [DataPath]
    public override void Submit(IoChannel channel, BdevIo io) => ((BlobIo)io.Context!).Start((BlobChannel)channel);

    /// <inheritdoc/>
    [DataPath]
    public override void FlushChannel(IoChannel channel) => ((BlobChannel)channel).Base.Flush();
}
