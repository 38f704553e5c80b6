using System.Numerics;
using System.Runtime.CompilerServices;
using Spindle.Blobs.Format;

namespace Spindle.Blobs.Data;

/// <summary>From I/O units of a blob to blocks of the device. On any thread.</summary>
internal sealed class BlobGeometry
{
    private readonly int _shift;
    private readonly ulong _scale;
    private readonly ulong _clusterBlocks;

    public BlobGeometry(StoreLayout layout)
    {
        IoUnitSize = layout.IoUnitSize;
        ClusterIoUnits = layout.ClusterIoUnits;
        _shift = BitOperations.IsPow2(layout.ClusterIoUnits) ? BitOperations.Log2(layout.ClusterIoUnits) : -1;
        _scale = layout.IoUnitSize / layout.DeviceBlockSize;
        _clusterBlocks = layout.ClusterBlocks;
    }

    public readonly uint IoUnitSize;
    public readonly uint ClusterIoUnits;

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint ClusterOf(ulong ioUnit) => (uint)(_shift >= 0 ? ioUnit >> _shift : ioUnit / ClusterIoUnits);

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong InCluster(ulong ioUnit) => _shift >= 0 ? ioUnit & (ClusterIoUnits - 1UL) : ioUnit % ClusterIoUnits;

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong BaseBlock(uint cluster, ulong ioUnit) => (cluster * _clusterBlocks) + (InCluster(ioUnit) * _scale);

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong BaseBlocks(ulong ioUnits) => ioUnits * _scale;
}
