using Spindle.Nvme.Commands;
using Spindle.Nvme.LogPages;

namespace Spindle.Frontend.Nvmf.Controllers;

/// <summary>The namespaces that changed since the host read the Changed Namespace List log page. On the controller's thread.</summary>
internal sealed class ChangedNamespaceList
{
    private readonly SortedSet<uint> _changed = [];
    private bool _overflowed;

    /// <summary>A namespace changed.</summary>
    public void Add(uint nsid)
    {
        if (_overflowed) return;
        _changed.Add(nsid);
        if (_changed.Count <= ChangedNamespaceListLogPage.MaxEntries) return;
        _overflowed = true;
        _changed.Clear();
    }

    /// <summary>Writes the log page: NSIDs ascending, or FFFFFFFFh alone when there are more than fit.</summary>
    public void Write(Span<uint> entries)
    {
        entries.Clear();
        if (_overflowed)
        {
            entries[0] = NvmeConstants.BroadcastNsid;
            return;
        }
        int i = 0;
        foreach (uint nsid in _changed) entries[i++] = nsid;
    }

    /// <summary>The host has read it.</summary>
    public void Clear()
    {
        _changed.Clear();
        _overflowed = false;
    }
}
