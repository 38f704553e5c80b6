namespace Spindle.Bdev.Raid;

/// <summary>A place in an array, with or without a member. On the app thread.</summary>
/// <param name="index">Which.</param>
public sealed class RaidSlot(int index)
{
    /// <summary>Which.</summary>
    public int Index => index;

    /// <summary>The bdev that is there, or is waited for; null when nothing is.</summary>
    public string? Name { get; internal set; }

    /// <summary>Its UUID; empty while it is not known.</summary>
    public Guid Uuid { get; internal set; }

    /// <summary>The block of the bdev at which the array's data begins.</summary>
    public ulong DataOffset { get; internal set; }

    /// <summary>Blocks of data; 0 while it is not known.</summary>
    public ulong DataBlocks { get; internal set; }

    /// <summary>The open bdev; null while it is missing.</summary>
    public RaidMember? Member { get; internal set; }

    /// <summary>True while it is being rebuilt.</summary>
    public bool IsTarget { get; internal set; }

    /// <summary>Blocks of data that what was being rebuilt here when the array came up has: of use as long as nothing is written.</summary>
    internal ulong ResumeBlocks { get; set; }

    internal void Clear(bool keepsIdentity)
    {
        Member = null;
        Name = null;
        if (!keepsIdentity) Uuid = Guid.Empty;
        DataOffset = 0;
        IsTarget = false;
    }
}
