using Spindle.Bdevs;
using Spindle.Modules;
using Spindle.Virtual;

namespace Spindle.Bdev.Error;

/// <summary>Hands the bdevs with what is injected, and the open bases with their claims, to another version of the module. I/O that is held when it begins ends as
/// aborted, as by a reset: it would never complete, and the exchange waits for all I/O.</summary>
internal sealed class ErrorUpgrade(Func<VirtualBdevs<ErrorAssociation>> errors) : ModuleUpgrade
{
    /// <inheritdoc/>
    public override int StateVersion => 1;

    /// <inheritdoc/>
    public override async Task PrepareAsync(CancellationToken cancellationToken)
    {
        foreach (var association in errors().All)
        {
            association.Injections.HoldNothing = true;
            foreach (var bdev in association.Bdevs) await ((ErrorBdev)bdev).AbortHeldAsync();
        }
    }

    /// <inheritdoc/>
    public override void Rollback()
    {
        foreach (var association in errors().All) association.Injections.HoldNothing = false;
    }

    /// <inheritdoc/>
    public override void Export(UpgradeState state) => errors().Export(state, (association, prefix) =>
    {
        state.Set(prefix + "base", association.BaseName);
        state.Set(prefix + "uuid", association.Uuid);
        foreach (var type in ErrorInjections.Types)
        {
            if (association.Injections[type] is not { Left: > 0 } injection) continue;
            string name = $"{prefix}{type}.";
            state.Set(name + "kind", (int)injection.Kind);
            state.Set(name + "left", injection.Left);
            state.Set(name + "queue_depth", injection.QueueDepth);
            state.Set(name + "corrupt_offset", injection.CorruptOffset);
            state.Set(name + "corrupt_value", injection.CorruptValue);
            state.Set(name + "offset_blocks", injection.Range.Offset);
            state.Set(name + "num_blocks", injection.Range.Count);
        }
    });

    /// <inheritdoc/>
    public override void Import(UpgradeState state) => errors().Import(state, prefix =>
    {
        var association = new ErrorAssociation(state.Get<string>(prefix + "base"), state.Get<Guid>(prefix + "uuid"));
        foreach (var type in ErrorInjections.Types)
        {
            string name = $"{prefix}{type}.";
            if (!state.Has(name + "kind")) continue;
            association.Injections.Set(type, new ErrorInjection((ErrorKind)state.Get<int>(name + "kind"), state.Get<long>(name + "left"), state.Get<ulong>(name + "queue_depth"),
                state.Get<ulong>(name + "corrupt_offset"), state.Get<byte>(name + "corrupt_value"),
                new BlockRange(state.Get<ulong>(name + "offset_blocks"), state.Get<ulong>(name + "num_blocks"))));
        }
        return association;
    }, static (association, share, values) => new ErrorBdev(association.Name, association.Injections, share, values.Uuid));
}
