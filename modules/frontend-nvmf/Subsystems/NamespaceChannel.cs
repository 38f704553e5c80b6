using Spindle.Bdevs;

namespace Spindle.Frontend.Nvmf.Subsystems;

/// <summary>A poll group's door to a namespace's bdev, with what its commands need at hand. On the group's thread only.</summary>
internal sealed class NamespaceChannel
{
    private Action? _drained;

    public NamespaceChannel(uint nsid, IBdevChannel channel)
    {
        Nsid = nsid;
        Channel = channel;
    }

    /// <summary>The namespace.</summary>
    public uint Nsid { get; }

    /// <summary>The bdev's channel on this thread.</summary>
    public IBdevChannel Channel { get; }

    /// <summary>Commands that use the channel.</summary>
    public int Outstanding { get; private set; }

    /// <summary>A command begins to use the channel.</summary>
    [DataPath]
    public void OnRequestBegun() => Outstanding++;

    /// <summary>A command that used the channel has ended.</summary>
    [DataPath]
    public void OnRequestEnded()
    {
        if (--Outstanding == 0 && _drained is not null) Release();
    }

    /// <summary>Gives the channel back once no command uses it, then calls <paramref name="drained"/>.</summary>
    public void Close(Action drained)
    {
        _drained = drained;
        if (Outstanding == 0) Release();
    }

    private void Release()
    {
        Action drained = _drained!;
        _drained = null;
        Channel.Put();
        drained();
    }
}
