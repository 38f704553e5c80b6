namespace Spindle.Threading;

/// <summary>The host's reactors, storage threads and I/O devices.</summary>
public interface IStorageThreads
{
    /// <summary>The cores that have a reactor, in ascending order; the first one runs <see cref="AppThread"/>.</summary>
    IReadOnlyList<int> Cores { get; }

    /// <summary>The thread on which the control plane runs: RPC handlers, module initialization, examine, descriptor events of modules.</summary>
    IStorageThread AppThread { get; }

    /// <summary>All living storage threads.</summary>
    IReadOnlyCollection<IStorageThread> Threads { get; }

    /// <summary>Starts a storage thread. On any thread.</summary>
    /// <param name="name">Must not be in use.</param>
    /// <param name="core">One of <see cref="Cores"/>, or null for the least loaded one.</param>
    /// <exception cref="SpindleException">EEXIST: the name is taken. EINVAL: no reactor on that core.</exception>
    IStorageThread CreateThread(string name, int? core = null);

    /// <summary>Makes a device known. On any storage thread.</summary>
    /// <exception cref="SpindleException">EEXIST: it is registered already.</exception>
    void RegisterDevice(IoDevice device, string name);

    /// <summary>Refuses new channels and returns when the last channel of the device was destroyed.</summary>
    Task UnregisterDeviceAsync(IoDevice device);

    /// <summary>The calling storage thread's channel of <paramref name="device"/>, made if there is none; takes a reference.</summary>
    /// <exception cref="SpindleException">ENODEV: the device is not registered, or is being unregistered.</exception>
    IoChannel GetChannel(IoDevice device);

    /// <summary>Gives a reference back, on the channel's thread. The channel is destroyed by a later message after the last one,
    /// so a get in between keeps it alive.</summary>
    void PutChannel(IoChannel channel);

    /// <summary>Runs <paramref name="function"/> on the thread of every channel of the device, one after another, and returns when all
    /// have run. A result other than 0 ends the walk early. Channels made during the walk may be missed; ones destroyed are skipped.</summary>
    /// <returns>The first result other than 0, or 0.</returns>
    Task<int> ForEachChannelAsync(IoDevice device, Func<IoChannel, object?, int> function, object? state);
}
