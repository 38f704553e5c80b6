using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.Virtual;

/// <summary>An open and claimed base that one or more bdevs sit on: closed when the last of them is gone. On the app thread.</summary>
public sealed class BaseShare
{
    private readonly Action? _closed;
    private int _holders;

    /// <param name="descriptor">The base, open and claimed.</param>
    /// <param name="threads">The host's threads.</param>
    /// <param name="iobuf">The host's I/O buffers.</param>
    /// <param name="closed">Called when the last holder is gone.</param>
    public BaseShare(IBdevDescriptor descriptor, IStorageThreads threads, IIobuf iobuf, Action? closed = null)
    {
        Descriptor = descriptor;
        Threads = threads;
        Iobuf = iobuf;
        _closed = closed;
    }

    /// <summary>The open base.</summary>
    public IBdevDescriptor Descriptor { get; }

    /// <summary>The host's threads.</summary>
    public IStorageThreads Threads { get; }

    /// <summary>The host's I/O buffers.</summary>
    public IIobuf Iobuf { get; }

    /// <summary>The base.</summary>
    public Bdevs.Bdev Base => Descriptor.Bdev;

    /// <summary>Counts one more holder.</summary>
    public void Take() => _holders++;

    /// <summary>Counts one less.</summary>
    public void Return()
    {
        if (--_holders > 0) return;
        Descriptor.Close();
        _closed?.Invoke();
    }
}
