namespace Spindle.Testing;

/// <summary>What a step does.</summary>
internal enum ModelStepKind
{
    Read,
    Write,
    WriteZeroes,
    Unmap,
    Compare,
    CompareWrong,
    CompareAndWrite,
    CompareAndWriteWrong,
    Copy,
    Flush,
    Reset,
}

/// <summary>One step of a random sequence.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Offset">First block.</param>
/// <param name="Blocks">Blocks.</param>
/// <param name="Source">Of a copy.</param>
/// <param name="Seed">Of its data and its vectors.</param>
/// <param name="Worker">Which thread submits it.</param>
/// <param name="Waits">Whether everything before has to end first; else only what overlaps.</param>
internal sealed record ModelStep(ModelStepKind Kind, ulong Offset, ulong Blocks, ulong Source, int Seed, int Worker, bool Waits)
{
    /// <summary>Whether two steps at once would leave open what either sees.</summary>
    public bool Touches(ModelStep other) => Kind == ModelStepKind.Reset || other.Kind == ModelStepKind.Reset ||
        Overlap(Offset, Blocks, other.Offset, other.Blocks) ||
        (Kind == ModelStepKind.Copy && Overlap(Source, Blocks, other.Offset, other.Blocks)) ||
        (other.Kind == ModelStepKind.Copy && Overlap(Offset, Blocks, other.Source, other.Blocks));

    private static bool Overlap(ulong a, ulong aCount, ulong b, ulong bCount) => a < b + bCount && b < a + aCount;

    /// <summary>A random sequence for a bdev of a size.</summary>
    public static List<ModelStep> Sequence(Random random, ulong size, int count, int workers)
    {
        var steps = new List<ModelStep>();
        while (steps.Count < count)
        {
            var kind = (ModelStepKind)random.Next((int)ModelStepKind.Reset + 1);
            if (kind == ModelStepKind.Reset && random.Next(10) != 0) continue;
            ulong most = random.Next(20) == 0 ? size / 2 : 24;
            ulong blocks = 1 + (ulong)random.NextInt64((long)most);
            ulong offset = random.Next(8) == 0 ? size - blocks : (ulong)random.NextInt64((long)(size - blocks) + 1);
            ulong source = (ulong)random.NextInt64((long)(size - blocks) + 1);
            if (kind == ModelStepKind.Copy && Overlap(offset, blocks, source, blocks)) continue;
            steps.Add(new ModelStep(kind, offset, blocks, source, random.Next(), random.Next(workers), random.Next(6) == 0));
        }
        return steps;
    }
}
