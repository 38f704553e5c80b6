using Spindle.Bdev.Nvme.Bdevs;
using Spindle.Bdev.Nvme.Controllers;
using Spindle.Nvme.LogPages;

namespace Spindle.Bdev.Nvme.Namespaces;

/// <summary>A namespace as one controller shows it: a path to the bdev. Made and changed on the app thread; what I/O looks at may be read on any.</summary>
internal sealed class NvmeNamespace(NvmeController controller, NamespaceInfo info)
{
    private int _anaState = (int)AnaState.Optimized;
    private int _anaIsStale;

    internal NvmeController Controller { get; } = controller;
    internal NamespaceInfo Info { get; set; } = info;
    internal uint Nsid => Info.Nsid;

    /// <summary>The bdev that this is a path of; null where it could not be made one.</summary>
    internal NvmeBdev? Bdev { get; set; }

    /// <summary>What the controller says of the access by it.</summary>
    internal AnaState AnaState
    {
        get => (AnaState)Volatile.Read(ref _anaState);
        set => Volatile.Write(ref _anaState, (int)value);
    }

    /// <summary>The controller refused a command because of the state, so that the state that is known here is old; until the log was read again.</summary>
    internal bool AnaIsStale
    {
        get => Volatile.Read(ref _anaIsStale) != 0;
        set => Volatile.Write(ref _anaIsStale, value ? 1 : 0);
    }

    /// <summary>I/O may go by it.</summary>
    internal bool IsAccessible => !AnaIsStale && (AnaState is AnaState.Optimized or AnaState.NonOptimized);
}
