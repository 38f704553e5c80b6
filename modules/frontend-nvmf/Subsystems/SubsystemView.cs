using System.Collections.Frozen;
using Spindle.Frontend.Nvmf.Transport;

namespace Spindle.Frontend.Nvmf.Subsystems;

/// <summary>A subsystem at one moment. The app thread publishes a new one with each change; every other thread reads the latest without a lock.</summary>
/// <param name="Namespaces">The active namespaces, by ascending NSID.</param>
/// <param name="Hosts">The allowed hosts' names.</param>
/// <param name="AllowAnyHost">Hosts that are not in <paramref name="Hosts"/> may connect too.</param>
/// <param name="Listeners">The addresses at which it may be reached.</param>
internal sealed record SubsystemView(NvmfNamespace[] Namespaces, FrozenSet<string> Hosts, bool AllowAnyHost, SubsystemListener[] Listeners)
{
    /// <summary>A subsystem with nothing in it.</summary>
    public static SubsystemView Empty { get; } = new([], FrozenSet<string>.Empty, false, []);

    /// <summary>The active namespace with an NSID; null when there is none.</summary>
    public NvmfNamespace? FindNamespace(uint nsid)
    {
        int low = 0;
        int high = Namespaces.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            uint candidate = Namespaces[middle].Nsid;
            if (candidate == nsid) return Namespaces[middle];
            if (candidate < nsid) low = middle + 1;
            else high = middle - 1;
        }
        return null;
    }

    /// <summary>True when the host may connect.</summary>
    public bool AllowsHost(string hostNqn) => AllowAnyHost || Hosts.Contains(hostNqn);

    /// <summary>The listener at an address; null when there is none.</summary>
    public SubsystemListener? FindListener(NvmfTransportAddress address)
    {
        foreach (SubsystemListener listener in Listeners)
        {
            if (listener.Address.Matches(address)) return listener;
        }
        return null;
    }
}
