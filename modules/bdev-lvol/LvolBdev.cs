using Spindle.Blobs.Data;
using Spindle.Rpc;

namespace Spindle.Bdev.Lvol;

/// <summary>The bdev of a logical volume.</summary>
public sealed class LvolBdev : BlobBdev
{
    private readonly Lvol _lvol;

    internal LvolBdev(Lvol lvol) : base(lvol.Id, "Logical Volume", lvol.Blob, lvol.Uuid)
    {
        _lvol = lvol;
        Aliases.Add(lvol.Alias);
    }

    /// <inheritdoc/>
    public override void DumpInfo(IRpcWriter writer)
    {
        var blob = _lvol.Blob;
        writer.Name("lvol");
        writer.BeginObject();
        Write(writer, "lvol_store_uuid", _lvol.Store.Uuid.ToString("D"));
        Write(writer, "base_bdev", _lvol.Store.BaseName);
        Write(writer, "thin_provision", blob.IsThin);
        writer.Name("num_allocated_clusters");
        writer.Number((ulong)blob.AllocatedClusters);
        string[] clones = [.. blob.Clones.Select(clone => _lvol.Store.Find(clone)?.Name).OfType<string>()];
        Write(writer, "snapshot", clones.Length > 0);
        Write(writer, "clone", blob.Parent is not null);
        if (blob.Parent is { } parent && _lvol.Store.Find(parent) is { } snapshot) Write(writer, "base_snapshot", snapshot.Name);
        if (clones.Length > 0)
        {
            writer.Name("clones");
            writer.BeginArray();
            foreach (string clone in clones) writer.String(clone);
            writer.EndArray();
        }
        Write(writer, "esnap_clone", blob.ExternalSnapshotId is not null);
        if (blob.ExternalSnapshotId is { } outside) Write(writer, "external_snapshot_name", Lvol.TextOf(outside));
        writer.EndObject();
    }

    private static void Write(IRpcWriter writer, string name, string value)
    {
        writer.Name(name);
        writer.String(value);
    }

    private static void Write(IRpcWriter writer, string name, bool value)
    {
        writer.Name(name);
        writer.Boolean(value);
    }
}
