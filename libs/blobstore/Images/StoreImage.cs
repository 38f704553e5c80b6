using Spindle.Blobs.Format;

namespace Spindle.Blobs.Images;

/// <summary>What is wrong with a store.</summary>
/// <param name="IsDamage">True: what it concerns cannot be relied on. False: a trace of an interruption, which loading the store puts right.</param>
/// <param name="Text">A sentence that names the blob, page or field.</param>
public sealed record StoreProblem(bool IsDamage, string Text);

/// <summary>A store as its metadata describes it, after what an interruption left has been put right in memory.</summary>
public sealed class StoreImage
{
    /// <summary>The super block.</summary>
    public required SuperBlock Super { get; init; }
    /// <summary>The geometry.</summary>
    public required StoreLayout Layout { get; init; }
    /// <summary>The blobs by their ids.</summary>
    public SortedDictionary<ulong, BlobRecord> Blobs { get; } = [];
    /// <summary>What is wrong.</summary>
    public IReadOnlyList<StoreProblem> Problems => Found;
    /// <summary>True when it was shut down cleanly and its masks are those of its metadata.</summary>
    public bool WasClean { get; internal set; }
    /// <summary>Clusters that are free.</summary>
    public uint FreeClusters => UsedClusters.ClearCount;

    internal List<StoreProblem> Found { get; } = [];
    internal BitSet UsedPages { get; set; } = null!;
    internal BitSet UsedClusters { get; set; } = null!;
    /// <summary>Blobs whose metadata must be written again, in this order.</summary>
    internal List<BlobRecord> ToRewrite { get; } = [];
    /// <summary>Blobs that must be erased.</summary>
    internal List<BlobRecord> ToErase { get; } = [];
    /// <summary>True when the super block on disk is torn.</summary>
    internal bool SuperIsTorn { get; init; }
    /// <summary>Metadata pages whose last write was torn, with what was being written.</summary>
    internal Dictionary<uint, byte[]> Torn { get; } = [];
    /// <summary>Pages that hold a copy for redoing.</summary>
    internal List<uint> RedoPages { get; } = [];

    internal void Damage(string text) => Found.Add(new StoreProblem(true, text));

    internal void Trace(string text) => Found.Add(new StoreProblem(false, text));
}
