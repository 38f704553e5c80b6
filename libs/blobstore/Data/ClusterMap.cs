namespace Spindle.Blobs.Data;

/// <summary>What lies behind a cluster that is not a blob's own. On any thread.</summary>
internal static class ClusterMap
{
    /// <summary>The cluster on disk that holds it; 0 when no snapshot has it, and then <paramref name="last"/> is the blob whose outside is read, null for zeroes.</summary>
    [DataPath]
    public static uint Behind(Blob blob, uint index, out Blob? last)
    {
        last = blob;
        while (last.Parent is { } parent)
        {
            last = parent;
            uint[] map = parent.Map;
            if (index >= map.Length)
            {
                // A snapshot smaller than its clone: zeroes.
                last = null;
                return 0;
            }
            uint cluster = Volatile.Read(ref map[index]);
            if (cluster != 0) return cluster;
        }
        return 0;
    }

    /// <summary>Whether what lies behind may be other than zeroes.</summary>
    [DataPath]
    public static bool HasDataBehind(Blob blob, uint index) => Behind(blob, index, out var last) != 0 || (last is { Record.IsExternalClone: true } && ReachesOutside(last, index));

    /// <summary>Of a device that is not there it is not known how far it reaches.</summary>
    [DataPath]
    private static bool ReachesOutside(Blob last, uint index) =>
        last.External is not { Bdev: var outside } || (ulong)index * last.Store.ClusterSize < outside.BlockCount * outside.BlockSize;

    /// <summary>Whether a cluster that is given back reads as zeroes.</summary>
    [DataPath]
    public static bool CanGiveBack(Blob blob) => blob.IsThin && blob.Parent is null && !blob.Record.IsExternalClone && !blob.IsBusy;
}
