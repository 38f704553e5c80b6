using Spindle.Modules;
using Spindle.Virtual;

namespace Spindle.Bdev.Delay;

/// <summary>Hands the bdevs, and the open bases with their claims, to another version of the module. What is delayed when it begins ends then, and nothing is
/// delayed until it has ended: a latency may be a day, and hosts wait for the exchange.</summary>
internal sealed class DelayUpgrade(Func<VirtualBdevs<DelayAssociation>> delays) : ModuleUpgrade
{
    /// <inheritdoc/>
    public override int StateVersion => 1;

    /// <inheritdoc/>
    public override async Task PrepareAsync(CancellationToken cancellationToken)
    {
        foreach (var association in delays().All)
        {
            association.Latencies.AreSuspended = true;
            foreach (var bdev in association.Bdevs) await ((DelayBdev)bdev).EndDelayedAsync();
        }
    }

    /// <inheritdoc/>
    public override void Rollback()
    {
        foreach (var association in delays().All) association.Latencies.AreSuspended = false;
    }

    /// <inheritdoc/>
    public override void Export(UpgradeState state) => delays().Export(state, (association, prefix) =>
    {
        state.Set(prefix + "base", association.BaseName);
        state.Set(prefix + "name", association.Name);
        state.Set(prefix + "uuid", association.Uuid);
        foreach (var kind in Enum.GetValues<DelayKind>()) state.Set(prefix + Name(kind), association.Latencies[kind]);
    });

    /// <inheritdoc/>
    public override void Import(UpgradeState state) => delays().Import(state, prefix =>
    {
        var latencies = new DelayLatencies();
        foreach (var kind in Enum.GetValues<DelayKind>()) latencies[kind] = state.Get<ulong>(prefix + Name(kind));
        return new DelayAssociation(state.Get<string>(prefix + "base"), state.Get<string>(prefix + "name"), state.Get<Guid>(prefix + "uuid"), latencies);
    }, static (association, share, values) => new DelayBdev(association, share, values.Uuid));

    private static string Name(DelayKind kind) => kind switch
    {
        DelayKind.AverageRead => "avg_read",
        DelayKind.P99Read => "p99_read",
        DelayKind.AverageWrite => "avg_write",
        _ => "p99_write",
    };
}
