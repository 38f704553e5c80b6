using Microsoft.Extensions.Logging;
using Spindle.Modules;
using Spindle.Virtual;

namespace Spindle.Bdev.Gpt;

/// <summary>Hands the partitions, and the open bases with their claims, to another version of the module.</summary>
internal sealed class GptUpgrade(Func<(IModuleContext Context, VirtualBdevs<GptAssociation> Disks, ILogger Log)> module) : ModuleUpgrade
{
    /// <inheritdoc/>
    public override int StateVersion => 1;

    /// <inheritdoc/>
    public override void Export(UpgradeState state) => module().Disks.Export(state, (association, prefix) => state.Set(prefix + "base", association.BaseName), static (bdev, values) =>
    {
        var partition = ((GptBdev)bdev).Partition;
        values.Set("number", partition.Number);
        values.Set("type", partition.Type);
        values.Set("unique", partition.Unique);
        values.Set("name", partition.Name);
    });

    /// <inheritdoc/>
    public override void Import(UpgradeState state)
    {
        var (context, disks, log) = module();
        disks.Import(state, prefix => new GptAssociation(state.Get<string>(prefix + "base"), [], context.Bdevs, log), static (_, share, values) =>
            new GptBdev(values.Name, share, new GptPartition(values.Get<int>("number"), values.Get<Guid>("type"), values.Get<Guid>("unique"), values.Get<string>("name"),
                values.Get<ulong>("offset_blocks"), values.BlockCount)));
    }
}
