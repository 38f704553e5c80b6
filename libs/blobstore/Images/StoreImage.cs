using Spindle.Blobs.Format;

namespace Spindle.Blobs.Images;

/// <summary>What is wrong with a store.</summary>
/// <param name="IsDamage">True: what it concerns cannot be relied on. False: a trace of an interruption, which loading the store puts right.</param>
/// <param name="Text">A sentence that names the blob, page or field.</param>
/// <param name="BlobId">The blob that cannot be used because of it; null when it concerns all of the store, or is no damage.</param>
public sealed record StoreProblem(bool IsDamage, string Text, ulong? BlobId = null);

/// <summary>A store as its metadata describes it, after what an interruption left has been put right in memory.</summary>
public sealed class StoreImage
{
    /// <summary>The super block.</summary>
    public required SuperBlock Super { get; init; }
    /// <summary>The geometry.</summary>
    public required StoreLayout Layout { get; init; }
    /// <summary>The blobs by their ids, without those that are damaged.</summary>
    public SortedDictionary<ulong, BlobRecord> Blobs { get; } = [];
    /// <summary>The blobs that are damaged, or read through one that is: by their ids, with what could be read of them; null for nothing.</summary>
    public SortedDictionary<ulong, BlobRecord?> Damaged { get; } = [];
    /// <summary>The names of the damaged ones, as far as they can be read; empty for one that cannot.</summary>
    public SortedDictionary<ulong, string> DamagedNames { get; } = [];
    /// <summary>True when it is damaged anywhere.</summary>
    public bool IsDamaged => Found.Exists(problem => problem.IsDamage);
    /// <summary>True when what is damaged are blobs, and the others can be used.</summary>
    public bool IsUsable => !Found.Exists(problem => problem.IsDamage && problem.BlobId is null);
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

    /// <summary>Damage of all of the store.</summary>
    internal void Damage(string text) => Found.Add(new StoreProblem(true, text));

    /// <summary>Damage of one blob, which is moved to the damaged ones when all has been looked at.</summary>
    internal void Damage(ulong blob, string text) => Found.Add(new StoreProblem(true, text, blob));

    internal void Trace(string text) => Found.Add(new StoreProblem(false, text));
}
