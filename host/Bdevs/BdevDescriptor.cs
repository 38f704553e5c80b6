using Spindle.Bdevs;
using Spindle.Threading;

namespace Spindle.Host.Bdevs;

/// <summary>An open of a bdev.</summary>
internal sealed class BdevDescriptor : IBdevDescriptor
{
    private BdevEventCallback _events;
    private object? _state;
    private readonly IStorageThread _thread;
    private volatile bool _writable;
    private int _closed;

    internal BdevDescriptor(BdevEntry entry, BdevOpenOptions options, string module, BdevEventCallback events, object? state)
    {
        Entry = entry;
        Module = module;
        _writable = options.Write;
        HidesMetadata = options.HideMetadata && entry.Bdev.MetadataSize > 0;
        _events = events;
        _state = state;
        _thread = StorageThread.Current ?? entry.Registry.Threads.AppThread;
    }

    internal BdevEntry Entry { get; }

    /// <summary>The module that opened it.</summary>
    internal string Module { get; }

    public Bdev Bdev => Entry.Bdev;
    public bool IsWritable => _writable;
    public bool HidesMetadata { get; }
    public uint BlockSize => HidesMetadata ? BdevProtection.DataBlockSize(Bdev) : Bdev.BlockSize;
    public uint MetadataSize => HidesMetadata ? 0 : Bdev.MetadataSize;
    public string Purpose { get; set; } = "";
    internal bool IsClosed => Volatile.Read(ref _closed) != 0;

    /// <summary>Sends the events elsewhere. On the app thread.</summary>
    internal void Redirect(BdevEventCallback events, object? state) => (_events, _state) = (events, state);

    internal BdevMediaEvents MediaEvents { get; } = new();

    public int TakeMediaEvents(Span<BdevMediaEvent> events) => MediaEvents.Take(events);

    internal void MakeWritable() => _writable = true;

    public IBdevChannel GetChannel() => MakeChannel(HidesMetadata);

    public IBdevChannel GetHidingChannel()
    {
        BdevProtection.CheckHiding(Bdev, Entry.Registry.Iobuf.LargeBufferSize);
        return MakeChannel(Bdev.MetadataSize > 0);
    }

    private IBdevChannel MakeChannel(bool hidesMetadata)
    {
        if (IsClosed) throw new SpindleException(Errno.EBADF, $"The descriptor of bdev '{Bdev.Name}' is closed.");
        if (Entry.IsRemoving) throw new SpindleException(Errno.ENODEV, $"Bdev '{Bdev.Name}' is being removed.");
        var channel = new BdevChannel(this, (BdevQueueChannel)Entry.Registry.Threads.GetChannel(Entry), hidesMetadata ? BdevProtection.DataBlockSize(Bdev) : Bdev.BlockSize);
        return hidesMetadata ? new BdevHiddenChannel(channel) : channel;
    }

    /// <summary>Tells the opener, on its thread. On any thread.</summary>
    internal void Notify(BdevEventType type) => _thread.Send(static s =>
    {
        var (descriptor, type) = ((BdevDescriptor, BdevEventType))s!;
        if (!descriptor.IsClosed) descriptor._events(type, descriptor.Bdev, descriptor._state);
    }, (this, type));

    public void Close()
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0) return;
        TaskCompletionSource? allClosed = null;
        lock (Entry.DescriptorLock)
        {
            Entry.Claims.Remove(this);
            Entry.Descriptors.Remove(this);
            if (Entry.Descriptors.Count == 0) allClosed = Entry.AllClosed;
        }
        allClosed?.TrySetResult();
        // A closed descriptor that somebody keeps must not keep its opener's code.
        (_events, _state) = (static (_, _, _) => { }, null);
    }
}
