using Spindle.Modules;
using Spindle.Virtual;

namespace Spindle.Bdev.Split;

/// <summary>Hands the parts, and the open bases with their claims, to another version of the module.</summary>
internal sealed class SplitUpgrade(Func<VirtualBdevs<SplitAssociation>> splits) : ModuleUpgrade
{
    /// <inheritdoc/>
    public override int StateVersion => 1;

    /// <inheritdoc/>
    public override void Export(UpgradeState state) => splits().Export(state, (association, prefix) =>
    {
        state.Set(prefix + "base", association.BaseName);
        state.Set(prefix + "count", association.Count);
        state.Set(prefix + "size_mebibytes", association.SizeMebibytes);
    });

    /// <inheritdoc/>
    public override void Import(UpgradeState state) => splits().Import(state,
        prefix => new SplitAssociation(state.Get<string>(prefix + "base"), state.Get<uint>(prefix + "count"), state.Get<ulong>(prefix + "size_mebibytes")),
        static (_, share, values) => new SplitBdev(values.Name, share, values.Get<ulong>("offset_blocks"), values.BlockCount));
}
