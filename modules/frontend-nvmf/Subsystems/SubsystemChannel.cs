using Spindle.Bdevs;

namespace Spindle.Frontend.Nvmf.Subsystems;

/// <summary>What one poll group keeps of a subsystem: a channel for each namespace, by NSID. On the group's thread only.</summary>
internal sealed class SubsystemChannel
{
    private NamespaceChannel?[] _namespaces = [];

    /// <summary>The channel of an active namespace; null for every other NSID.</summary>
    [DataPath]
    public NamespaceChannel? Find(uint nsid)
    {
        NamespaceChannel?[] namespaces = _namespaces;
        uint index = nsid - 1;
        return index < (uint)namespaces.Length ? namespaces[index] : null;
    }

    /// <summary>All channels, with holes.</summary>
    public ReadOnlySpan<NamespaceChannel?> All => _namespaces;

    /// <summary>Makes I/O to a namespace possible.</summary>
    public void Add(uint nsid, NamespaceChannel channel)
    {
        if (nsid > (uint)_namespaces.Length) Array.Resize(ref _namespaces, checked((int)nsid));
        _namespaces[nsid - 1] = channel;
    }

    /// <summary>Takes a namespace out: commands for it are refused from now on.</summary>
    public NamespaceChannel? Remove(uint nsid)
    {
        NamespaceChannel? channel = Find(nsid);
        if (channel is not null) _namespaces[nsid - 1] = null;
        return channel;
    }
}
