using Spindle.Bdevs;

namespace Spindle.Virtual;

/// <summary>Bdevs that were asked for on a base, which may not be there yet. On the app thread.</summary>
/// <param name="baseName">The base, by name, alias or UUID.</param>
public abstract class VirtualAssociation(string baseName)
{
    /// <summary>The base as it was asked for.</summary>
    public string BaseName { get; } = baseName;

    /// <summary>The bdevs that are there; none while the base is missing.</summary>
    public IReadOnlyList<VirtualBdev> Bdevs { get; internal set; } = [];

    /// <summary>True when the bdevs come back with a base that was removed; otherwise they are forgotten with it.</summary>
    public virtual bool OutlivesBase => true;

    /// <summary>False while something besides the base is missing; when it is there, <see cref="VirtualBdevs{T}.BringUp"/>.</summary>
    public virtual bool IsReady => true;

    internal BaseShare? Share { get; set; }

    /// <summary>Makes the bdevs, all or none. Each takes a part in the share when it is registered.</summary>
    /// <exception cref="SpindleException">The base does not fit.</exception>
    protected internal abstract IReadOnlyList<VirtualBdev> Make(BaseShare share);

    /// <summary>The base has another size now.</summary>
    protected internal virtual void OnBaseResized(IBdevRegistry registry) { }
}
