namespace Spindle.Frontend.Nvmf.Target;

/// <summary>What applies to the whole target: <c>nvmf_set_config</c>, <c>nvmf_set_max_subsystems</c>, <c>nvmf_set_crdt</c>. On the app thread; constant once the target runs, but for the
/// retry delays.</summary>
internal sealed class TargetConfiguration
{
    /// <summary>The target's name, the only one there is.</summary>
    public const string TargetName = "nvmf_tgt";

    /// <summary>Subsystems when none was asked for.</summary>
    public const uint DefaultMaxSubsystems = 1024;

    /// <summary>Subsystems there may be, the discovery one included; null: <see cref="DefaultMaxSubsystems"/>.</summary>
    public uint? MaxSubsystems { get; set; }

    /// <summary>Cores that get a poll group; null: all.</summary>
    public IReadOnlyList<int>? PollGroupCores { get; set; }

    /// <summary>Which listeners a discovery log page shows.</summary>
    public DiscoveryFilter DiscoveryFilter { get; set; }

    /// <summary>Command retry delay times 1 to 3, in 100 ms.</summary>
    public ushort[] RetryDelays { get; } = new ushort[3];

    /// <summary>True once the target runs: what shapes it cannot change any more.</summary>
    public bool IsRunning { get; set; }
}

/// <summary>Which listeners a discovery log page shows: those that agree with the address at which the host asks, in the parts named.</summary>
[Flags]
internal enum DiscoveryFilter
{
    /// <summary>All.</summary>
    MatchAny = 0,
    /// <summary>Those of the same transport type.</summary>
    Transport = 1,
    /// <summary>Those with the same address.</summary>
    Address = 2,
    /// <summary>Those with the same service.</summary>
    ServiceId = 4,
}
