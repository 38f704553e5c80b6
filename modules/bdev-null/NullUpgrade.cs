using Spindle.Modules;

namespace Spindle.Bdev.Null;

/// <summary>Hands the bdevs to another version of the module: their parameters are all there is.</summary>
internal sealed class NullUpgrade(Func<IModuleContext> context) : ModuleUpgrade
{
    /// <inheritdoc/>
    public override int StateVersion => 1;

    /// <inheritdoc/>
    public override void Export(UpgradeState state)
    {
        foreach (var bdev in context().Bdevs.All.OfType<NullBdev>())
        {
            var values = state.Add(bdev);
            var p = bdev.Parameters;
            values.Set("block_size", p.BlockSize);
            values.Set("physical_block_size", p.PhysicalBlockSize);
            values.Set("md_size", p.MdSize);
            values.Set("dif_type", p.DifType);
            values.Set("dif_is_head_of_md", p.DifIsHeadOfMd);
            values.Set("dif_pi_format", p.DifPiFormat);
            values.Set("preferred_write_alignment", p.PreferredWriteAlignment);
            values.Set("preferred_write_granularity", p.PreferredWriteGranularity);
            values.Set("optimal_write_size", p.OptimalWriteSize);
            values.Set("preferred_unmap_alignment", p.PreferredUnmapAlignment);
            values.Set("preferred_unmap_granularity", p.PreferredUnmapGranularity);
        }
    }

    /// <inheritdoc/>
    public override void Import(UpgradeState state)
    {
        foreach (var values in state.Bdevs)
        {
            values.Replacement = NullRpc.Make(new NullCreateParameters
            {
                Name = values.Name,
                NumBlocks = values.BlockCount,
                Uuid = values.Uuid,
                BlockSize = values.Get<uint>("block_size"),
                PhysicalBlockSize = values.Get<uint>("physical_block_size"),
                MdSize = values.Get<uint>("md_size"),
                DifType = values.Get<int>("dif_type"),
                DifIsHeadOfMd = values.Get<bool>("dif_is_head_of_md"),
                DifPiFormat = values.Get<uint>("dif_pi_format"),
                PreferredWriteAlignment = values.Get<uint>("preferred_write_alignment"),
                PreferredWriteGranularity = values.Get<uint>("preferred_write_granularity"),
                OptimalWriteSize = values.Get<uint>("optimal_write_size"),
                PreferredUnmapAlignment = values.Get<uint>("preferred_unmap_alignment"),
                PreferredUnmapGranularity = values.Get<uint>("preferred_unmap_granularity"),
            });
        }
    }
}
