namespace Spindle.Bdev.Nvme.Bdevs;

/// <summary>How I/O is shared out among the paths of a bdev.</summary>
internal enum MultipathPolicy
{
    ActivePassive,
    ActiveActive,
}

/// <summary>Which of several active paths an I/O takes.</summary>
internal enum MultipathSelector
{
    RoundRobin,
    QueueDepth,
}

/// <summary>A bdev's choice (bdev_nvme_set_multipath_policy).</summary>
/// <param name="Policy">The policy.</param>
/// <param name="Selector">For active-active.</param>
/// <param name="MinIo">I/Os by one path before the next one's turn, at least 1.</param>
internal sealed record MultipathChoice(MultipathPolicy Policy, MultipathSelector Selector, uint MinIo)
{
    internal static MultipathChoice Default { get; } = new(MultipathPolicy.ActivePassive, MultipathSelector.RoundRobin, 1);

    internal string PolicyName => Policy == MultipathPolicy.ActiveActive ? "active_active" : "active_passive";
    internal string SelectorName => Selector == MultipathSelector.QueueDepth ? "queue_depth" : "round_robin";
}
