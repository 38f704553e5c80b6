namespace Spindle.Bdevs;

/// <summary>How a bdev is opened: <see cref="IBdevRegistry.Open(string, BdevOpenOptions, BdevEventCallback, object?)"/>.</summary>
public sealed record BdevOpenOptions
{
    /// <summary>For writing too.</summary>
    public bool Write { get; init; }

    /// <summary>The opener sees blocks of data alone, of <see cref="IBdevDescriptor.BlockSize"/> bytes, and gives and gets no metadata. On writes the host generates protection
    /// information (application tag 0, the other metadata zero), on reads it verifies by <see cref="Bdev.DifCheckFlags"/> and strips. Says nothing about a bdev without metadata.</summary>
    public bool HideMetadata { get; init; }
}
