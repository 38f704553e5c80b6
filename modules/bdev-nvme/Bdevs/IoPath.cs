using Spindle.Bdev.Nvme.Controllers;
using Spindle.Bdev.Nvme.Namespaces;
using Spindle.Nvme.LogPages;

namespace Spindle.Bdev.Nvme.Bdevs;

/// <summary>A path as one storage thread uses it: the namespace and the thread's queue of its controller.</summary>
internal sealed class IoPath(NvmeNamespace ns, ControllerChannel channel)
{
    internal NvmeNamespace Namespace { get; } = ns;
    internal ControllerChannel Channel { get; } = channel;

    /// <summary>I/O can go by it now.</summary>
    internal bool IsUsable => Channel.Queue is not null && Namespace.IsAccessible;

    internal bool IsOptimized => Namespace.AnaState == AnaState.Optimized;

    /// <summary>It may become usable by itself.</summary>
    internal bool MayReturn => Namespace.Controller.State == ControllerState.Enabled ? !Channel.IsUnserved : Namespace.Controller.MayReturn;
}
