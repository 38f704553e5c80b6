using Microsoft.Extensions.Logging;
using Spindle.Rpc;

namespace Spindle.Bdev.Raid.Scrub;

/// <summary>Bdevs that take the place of members that fail or go. They are not claimed while they wait. On the app thread.</summary>
public sealed class RaidSpares(RaidArrays arrays)
{
    private readonly List<(string Array, string Bdev)> _all = [];

    /// <summary>Adds one; an array that lacks a member takes it now.</summary>
    /// <returns>False: it is one already.</returns>
    public bool Add(string array, string bdev)
    {
        if (_all.Exists(spare => spare.Bdev == bdev)) return false;
        _all.Add((array, bdev));
        if (arrays.Find(array) is { } found) OnDegraded(found);
        return true;
    }

    /// <summary>Takes one away.</summary>
    /// <returns>False: it was none.</returns>
    public bool Remove(string array, string bdev) => _all.Remove((array, bdev));

    /// <summary>The spares of an array.</summary>
    public IEnumerable<string> Of(string array) => _all.Where(spare => spare.Array == array).Select(spare => spare.Bdev);

    /// <summary>A member may be missing: the first spare that can takes its place.</summary>
    internal void OnDegraded(RaidArray array) => _ = UseAsync(array);

    private async Task UseAsync(RaidArray array)
    {
        foreach (string bdev in Of(array.Name).ToArray())
        {
            // While something else runs, the next look is at its end.
            if (array.State != RaidState.Online || array.Bdev is null || array.Process is not null || array.Discovered == array.Slots.Count) return;
            if (arrays.Context.Bdevs.Find(bdev) is null) continue;
            _all.Remove((array.Name, bdev));
            try
            {
                await arrays.AddMemberAsync(array, bdev);
                arrays.Log.LogInformation("The spare {Bdev} takes a missing member's place in raid bdev {Name}", bdev, array.Name);
                return;
            }
            catch (SpindleException e)
            {
                _all.Add((array.Name, bdev));
                arrays.Log.LogWarning("The spare {Bdev} cannot take a missing member's place in raid bdev {Name}: {Reason}", bdev, array.Name, e.Message);
            }
        }
    }

    /// <summary>Writes the calls that make them again.</summary>
    internal void WriteConfig(IConfigWriter writer)
    {
        foreach (var (array, bdev) in _all)
        {
            writer.Call("bdev_raid_add_spare", w =>
            {
                w.Name("raid_bdev");
                w.String(array);
                w.Name("base_bdev");
                w.String(bdev);
            });
        }
    }
}
