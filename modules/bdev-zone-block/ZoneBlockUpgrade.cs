using Microsoft.Extensions.Logging;
using Spindle.Modules;
using Spindle.Virtual;

namespace Spindle.Bdev.ZoneBlock;

/// <summary>Hands the bdevs with their zones, and the open bases with their claims, to another version of the module.</summary>
internal sealed class ZoneBlockUpgrade(Func<(VirtualBdevs<ZoneBlockAssociation> All, IModuleContext Context)> module) : ModuleUpgrade
{
    /// <inheritdoc/>
    public override int StateVersion => 1;

    /// <inheritdoc/>
    public override void Export(UpgradeState state) => module().All.Export(state, (one, prefix) =>
    {
        state.Set(prefix + "base", one.BaseName);
        state.Set(prefix + "name", one.Name);
        state.Set(prefix + "zone_capacity", one.ZoneCapacity);
        state.Set(prefix + "optimal_open_zones", one.OptimalOpenZones);
    }, static (bdev, values) =>
    {
        // Nothing is under way: a zone is in a state of the contract.
        var zones = ((ZoneBlockBdev)bdev).Zones;
        values.Set("states", zones.States());
        values.Set("written", zones.Written());
    });

    /// <inheritdoc/>
    public override void Import(UpgradeState state)
    {
        var (all, context) = module();
        var log = context.Logging.CreateLogger(context.ModuleName);
        all.Import(state, prefix => new ZoneBlockAssociation(state.Get<string>(prefix + "base"), state.Get<string>(prefix + "name"), Capacity(state, prefix),
            state.Get<uint>(prefix + "optimal_open_zones"), log), static (one, share, values) =>
            new ZoneBlockBdev(one, share, new ZoneTable(values.Get<byte[]>("states"), values.Get<ulong[]>("written"), one.ZoneCapacity, one.ZoneShift), values.BlockCount));
    }

    private static ulong Capacity(UpgradeState state, string prefix) => state.Get<ulong>(prefix + "zone_capacity") is > 0 and <= ZoneTable.LargestCapacity and var capacity
        ? capacity : throw new SpindleException(Errno.EPROTO, $"The state's '{prefix}zone_capacity' is out of its range.");
}
