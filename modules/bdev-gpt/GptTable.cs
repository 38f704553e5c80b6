namespace Spindle.Bdev.Gpt;

/// <summary>Which of the two copies of a partition table.</summary>
public enum GptCopy
{
    /// <summary>The one at the start of the disk.</summary>
    Primary,
    /// <summary>The one at its end.</summary>
    Backup,
}

/// <summary>A partition.</summary>
/// <param name="Number">Its place in the table, from 1.</param>
/// <param name="Type">What it is for.</param>
/// <param name="Unique">Its identity.</param>
/// <param name="Name">What people call it; may be empty.</param>
/// <param name="FirstBlock">Its first block on the disk.</param>
/// <param name="BlockCount">Blocks that are shown of it; above 0, all of them on the disk.</param>
public sealed record GptPartition(int Number, Guid Type, Guid Unique, string Name, ulong FirstBlock, ulong BlockCount);

/// <summary>A partition table that holds together.</summary>
/// <param name="Copy">Where it was found.</param>
/// <param name="Partitions">Those to be shown, in the table's order.</param>
/// <param name="PassedOver">Why other partitions of the wanted types are not: a sentence each.</param>
public sealed record GptTable(GptCopy Copy, IReadOnlyList<GptPartition> Partitions, IReadOnlyList<string> PassedOver);
