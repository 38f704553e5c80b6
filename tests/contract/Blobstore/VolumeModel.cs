namespace Spindle.ContractTests.Blobstore;

/// <summary>What a test did to a store.</summary>
internal enum VolumeStepKind
{
    Create,
    Write,
    Zero,
    Unmap,
    Flush,
    Snapshot,
    Clone,
    Delete,
    Resize,
    Inflate,
    Decouple,
    Reload,
}

/// <summary>One step, with the moments of the disk between which it was under way.</summary>
/// <param name="Kind">What was done.</param>
/// <param name="Name">The volume.</param>
/// <param name="Other">The volume that came of it.</param>
/// <param name="At">First block; for a size: clusters.</param>
/// <param name="Count">Blocks.</param>
/// <param name="Value">What each block was filled with.</param>
internal sealed record VolumeStep(VolumeStepKind Kind, string Name, string Other = "", int At = 0, int Count = 0, ulong Value = 0)
{
    public int Begin { get; set; }
    public int End { get; set; }
}

/// <summary>A volume as it must be: for each block the values that it may hold, the last one being the one that a read gives while nothing is cut.</summary>
internal sealed class ModelVolume
{
    public List<ulong>[] Blocks = [];
    /// <summary>It may or may not be there: what made or deleted it was under way.</summary>
    public bool Unsure;
    /// <summary>Its size may be another: the smaller one counts.</summary>
    public bool SizeUnsure;

    public ModelVolume Copy() => new() { Blocks = [.. Blocks.Select(values => values.ToList())] };
}

/// <summary>Volumes in memory, to which the steps up to a moment are done.</summary>
internal sealed class VolumeModel(int clusterBlocks, bool writeCache)
{
    public Dictionary<string, ModelVolume> Volumes { get; } = [];

    /// <summary>Does all steps that had begun at a moment; what had not ended then may have happened or not.</summary>
    public static VolumeModel At(IEnumerable<VolumeStep> steps, int moment, int clusterBlocks, bool writeCache)
    {
        var model = new VolumeModel(clusterBlocks, writeCache);
        foreach (var step in steps.Where(step => step.Begin < moment)) model.Do(step, step.End <= moment);
        return model;
    }

    public void Do(VolumeStep step, bool ended = true)
    {
        switch (step.Kind)
        {
            case VolumeStepKind.Create:
                Volumes[step.Name] = new ModelVolume { Blocks = New(step.At * clusterBlocks), Unsure = !ended };
                break;
            case VolumeStepKind.Write or VolumeStepKind.Zero or VolumeStepKind.Unmap:
                for (int i = step.At; i < step.At + step.Count; i++)
                {
                    var values = Volumes[step.Name].Blocks[i];
                    if (ended && !writeCache) values.Clear();
                    values.Add(step.Value);
                }
                break;
            case VolumeStepKind.Flush or VolumeStepKind.Reload when ended:
                foreach (var values in Volumes.Values.SelectMany(volume => volume.Blocks)) values.RemoveRange(0, values.Count - 1);
                break;
            case VolumeStepKind.Snapshot or VolumeStepKind.Clone:
                var copy = Volumes[step.Name].Copy();
                copy.Unsure = !ended;
                Volumes[step.Other] = copy;
                break;
            case VolumeStepKind.Delete when ended:
                Volumes.Remove(step.Name);
                break;
            case VolumeStepKind.Delete:
                Volumes[step.Name].Unsure = true;
                break;
            case VolumeStepKind.Resize:
                var volume = Volumes[step.Name];
                int blocks = step.At * clusterBlocks;
                volume.SizeUnsure = !ended;
                if (ended || blocks < volume.Blocks.Length) volume.Blocks = [.. volume.Blocks.Take(blocks), .. New(Math.Max(0, blocks - volume.Blocks.Length))];
                break;
        }
    }

    private static List<ulong>[] New(int blocks) => [.. Enumerable.Range(0, blocks).Select(_ => new List<ulong> { 0 })];
}
