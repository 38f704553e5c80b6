namespace Spindle.Threading;

/// <summary>A thing that many storage threads use at once, each through an <see cref="IoChannel"/> of its own (SPDK's <c>io_device</c>).
/// The host makes the first channel of a thread by <see cref="CreateChannel"/>, counts references, and destroys it after the last one.</summary>
public abstract class IoDevice
{
    internal object? HostState;

    /// <summary>Makes the per-thread state. Called on the storage thread that will own the channel. Throwing refuses the channel.</summary>
    /// <param name="thread">The calling storage thread.</param>
    protected internal abstract IoChannel CreateChannel(IStorageThread thread);
}

/// <summary>The state that one storage thread keeps of an <see cref="IoDevice"/>. Used on its own thread only, so it needs no lock.</summary>
public abstract class IoChannel
{
    internal object? HostState;
    internal int References;

    /// <summary>The device; set by the host before first use.</summary>
    public IoDevice Device { get; internal set; } = null!;

    /// <summary>The owning storage thread; set by the host before first use.</summary>
    public IStorageThread Thread { get; internal set; } = null!;

    /// <summary>Releases what the channel holds. Called on its thread after the last reference was put; all I/O of it has completed.</summary>
    protected internal virtual void Destroy() { }
}
