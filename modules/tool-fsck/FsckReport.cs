using System.Text;
using System.Text.Json;
using Spindle.Blobs;
using Spindle.Blobs.Format;
using Spindle.Blobs.Images;
using Spindle.Blobs.Repair;

namespace Spindle.Tool.Fsck;

/// <summary>What was found and done, for people and for programs.</summary>
/// <param name="name">What was checked.</param>
/// <param name="output">Where it is written to.</param>
internal sealed class FsckReport(string name, TextWriter output)
{
    public StoreCheck Before { get; set; } = new(null, []);

    /// <summary>After a repair.</summary>
    public StoreCheck? After { get; set; }

    public IReadOnlyList<string> Done { get; set; } = [];

    /// <summary>Why a repair was not possible.</summary>
    public string? NotRepaired { get; set; }

    /// <summary>There is nothing that could be checked.</summary>
    public bool IsNoStore => Before.Image is null && Before.Problems.Any(problem => problem.Text.Contains("There is no blobstore", StringComparison.Ordinal));

    public int ExitCode => IsNoStore ? FsckOptions.Failed : Before.Problems.Count == 0 ? FsckOptions.InOrder
        : After is null || After.Problems.Count > 0 ? FsckOptions.LeftUncorrected : FsckOptions.Corrected;

    private StoreCheck Last => After ?? Before;

    public void WriteText()
    {
        if (!IsNoStore)
            foreach (var problem in Before.Problems) output.WriteLine($"{(problem.IsDamage ? "damage" : "trace")}: {Named(Before.Image, problem)}");
        foreach (string done in Done) output.WriteLine($"repaired: {done}");
        if (NotRepaired is not null) output.WriteLine($"not repaired: {NotRepaired}");
        if (After is not null)
            foreach (var problem in After.Problems) output.WriteLine($"left: {Named(After.Image, problem)}");
        if (Last.Image is { } image) WriteStore(image);
        output.WriteLine($"{name}: {Verdict()}");
    }

    private string Verdict()
    {
        if (IsNoStore) return "no store of volumes: the disk does not start with SPDKBLOB. If it should be one, its first sector was overwritten; nothing was changed";
        if (ExitCode == FsckOptions.InOrder) return "in order";
        if (ExitCode == FsckOptions.Corrected) return "repaired";
        if (Before.Problems.All(problem => !problem.IsDamage)) return "was interrupted; a host puts that right when it loads the store, and so does --repair";
        if (After is not null) return "still damaged";
        return Before.Image is { IsUsable: true } ? "damaged; a host serves the other volumes and changes nothing. Copy the disk if you can, then run it with --repair"
            : "damaged, and no host loads it. Copy the disk if you can, then run it with --repair";
    }

    private void WriteStore(StoreImage image)
    {
        var super = image.Blobs.GetValueOrDefault(image.Super.SuperBlob);
        var volumes = Volumes(image);
        double mebi = image.Layout.ClusterSize / 1048576.0;
        output.WriteLine($"store {(super is null ? "without a name" : $"'{StoreText.NameOf(super)}', {StoreText.Of(super.Xattr("uuid"))}")}: {volumes.Count} volumes, "
            + $"{image.FreeClusters} of {image.Layout.DataClusters} clusters of {mebi:0.####} MiB free{(image.Damaged.Count > 0 ? ", not counting what is damaged" : "")}");
        foreach (var volume in volumes)
        {
            string kind = volume.IsExternalClone ? $", clone of bdev {StoreText.Of(volume.ExternalSnapshotId)}" : volume.ParentId is { } parent && image.Blobs.TryGetValue(parent, out var of) ? $", clone of '{StoreText.NameOf(of)}'" : "";
            output.WriteLine($"  '{StoreText.NameOf(volume)}': {volume.ClusterCount * mebi:0.####} MiB, {volume.AllocatedClusters()} of {volume.ClusterCount} clusters its own{(volume.IsReadOnly ? ", read-only" : "")}{kind}");
        }
    }

    private static List<BlobRecord> Volumes(StoreImage image) => [.. image.Blobs.Values.Where(blob => blob.Id != image.Super.SuperBlob)];

    /// <summary>A problem of a blob, with the name that its user knows.</summary>
    private static string Named(StoreImage? image, StoreProblem problem) =>
        problem.BlobId is { } id && image?.DamagedNames.GetValueOrDefault(id) is { Length: > 0 } text ? $"'{text}': {problem.Text}" : problem.Text;

    public void WriteJson()
    {
        var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("name", name);
            json.WriteNumber("exit_status", ExitCode);
            json.WriteString("state", ExitCode switch { FsckOptions.InOrder => "in_order", FsckOptions.Corrected => "repaired", FsckOptions.Failed => "no_store", _ => Last.Problems.All(problem => !problem.IsDamage) ? "interrupted" : "damaged" });
            WriteProblems(json, "problems", Before);
            json.WriteStartArray("repaired");
            foreach (string done in Done) json.WriteStringValue(done);
            json.WriteEndArray();
            if (NotRepaired is not null) json.WriteString("not_repaired", NotRepaired);
            if (After is not null) WriteProblems(json, "left", After);
            if (Last.Image is { } image) WriteStore(json, image);
            json.WriteEndObject();
        }
        output.WriteLine(Encoding.UTF8.GetString(bytes.ToArray()));
    }

    private static void WriteProblems(Utf8JsonWriter json, string name, StoreCheck check)
    {
        json.WriteStartArray(name);
        foreach (var problem in check.Problems)
        {
            json.WriteStartObject();
            json.WriteBoolean("damage", problem.IsDamage);
            json.WriteString("text", problem.Text);
            if (problem.BlobId is { } id)
            {
                json.WriteNumber("blob_id", id);
                if (check.Image?.DamagedNames.GetValueOrDefault(id) is { Length: > 0 } volume) json.WriteString("volume", volume);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteStore(Utf8JsonWriter json, StoreImage image)
    {
        var super = image.Blobs.GetValueOrDefault(image.Super.SuperBlob);
        json.WriteStartObject("store");
        if (super is not null)
        {
            json.WriteString("name", StoreText.NameOf(super));
            json.WriteString("uuid", StoreText.Of(super.Xattr("uuid")));
        }
        json.WriteNumber("cluster_size", image.Layout.ClusterSize);
        json.WriteNumber("total_data_clusters", image.Layout.DataClusters);
        json.WriteNumber("free_clusters", image.FreeClusters);
        json.WriteStartArray("volumes");
        foreach (var volume in Volumes(image))
        {
            json.WriteStartObject();
            json.WriteString("name", StoreText.NameOf(volume));
            json.WriteNumber("blob_id", volume.Id);
            json.WriteNumber("clusters", volume.ClusterCount);
            json.WriteNumber("allocated_clusters", volume.AllocatedClusters());
            json.WriteBoolean("read_only", volume.IsReadOnly);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
