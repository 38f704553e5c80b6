using Spindle.Bdevs;

namespace Spindle.Host.Bdevs;

/// <summary>A bdev and those it sits on.</summary>
/// <param name="Name">Its name; or one that is said to be below another, and is not there.</param>
/// <param name="Bdev">Null when it is not there.</param>
/// <param name="Bases">Those below.</param>
public sealed record BdevStackNode(string Name, Bdev? Bdev, IReadOnlyList<BdevStackNode> Bases)
{
    /// <summary>All stacks of a host from their tops, in the order of registration; or those that a bdev is in.</summary>
    /// <param name="registry">The bdevs.</param>
    /// <param name="member">The bdev; null: all.</param>
    public static IReadOnlyList<BdevStackNode> Of(BdevRegistry registry, Bdev? member = null)
    {
        var all = registry.All;
        var below = all.SelectMany(bdev => bdev.BaseBdevNames).Select(registry.Find).OfType<Bdev>().ToHashSet();
        var stacks = all.Where(bdev => !below.Contains(bdev)).Select(bdev => Make(registry, bdev.Name, []));
        return [.. stacks.Where(stack => member is null || stack.Contains(member))];
    }

    private bool Contains(Bdev bdev) => ReferenceEquals(Bdev, bdev) || Bases.Any(lower => lower.Contains(bdev));

    private static BdevStackNode Make(BdevRegistry registry, string name, IReadOnlyList<Bdev> above)
    {
        // What a bdev says of those below are names, which could go round in a circle.
        if (registry.Find(name) is not { } bdev || above.Contains(bdev)) return new BdevStackNode(name, null, []);
        return new BdevStackNode(bdev.Name, bdev, [.. bdev.BaseBdevNames.Select(lower => Make(registry, lower, [.. above, bdev]))]);
    }
}
