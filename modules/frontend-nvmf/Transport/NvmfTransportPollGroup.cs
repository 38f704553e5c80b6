namespace Spindle.Frontend.Nvmf.Transport;

/// <summary>A transport's part of a poll group: its pollers, buffer caches and counters of that storage thread. On the group's thread only.</summary>
public abstract class NvmfTransportPollGroup
{
    /// <param name="group">The group it belongs to.</param>
    protected NvmfTransportPollGroup(NvmfPollGroup group) => Group = group;

    /// <summary>The group it belongs to.</summary>
    public NvmfPollGroup Group { get; }

    /// <summary>Releases everything: its queue pairs are closed.</summary>
    public abstract void Dispose();
}
