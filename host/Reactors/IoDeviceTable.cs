using Spindle.Threading;

namespace Spindle.Host.Reactors;

/// <summary>Registered I/O devices and their channels. The look-up on a storage thread takes no lock; what changes the set of channels of
/// a device does, and is control plane.</summary>
internal sealed class IoDeviceTable
{
    private readonly Lock _lock = new();

    private sealed class Entry(string name)
    {
        public readonly string Name = name;
        public readonly List<IoChannel> Channels = [];
        public TaskCompletionSource? Unregistering;
    }

    public void Register(IoDevice device, string name)
    {
        lock (_lock)
        {
            if (device.HostState is Entry earlier) throw new SpindleException(Errno.EEXIST, $"The I/O device '{earlier.Name}' is registered already.");
            device.HostState = new Entry(name);
        }
    }

    public async Task UnregisterAsync(IoDevice device)
    {
        TaskCompletionSource gone;
        Entry entry;
        lock (_lock)
        {
            entry = EntryOf(device);
            if (entry.Unregistering is not null) throw new SpindleException(Errno.EBUSY, $"The I/O device '{entry.Name}' is being unregistered already.");
            entry.Unregistering = gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (entry.Channels.Count == 0) gone.TrySetResult();
        }
        await gone.Task;
        lock (_lock) device.HostState = null;
    }

    public IoChannel GetChannel(IoDevice device, StorageThreadCore thread)
    {
        if (thread.Channels.TryGetValue(device, out var channel))
        {
            if (EntryOf(device).Unregistering is not null && channel.References == 0) throw Unavailable(device);
            channel.References++;
            return channel;
        }
        lock (_lock)
        {
            if (EntryOf(device).Unregistering is not null) throw Unavailable(device);
        }
        channel = device.CreateChannel(thread);
        channel.Device = device;
        channel.Thread = thread;
        channel.References = 1;
        lock (_lock)
        {
            var entry = EntryOf(device);
            if (entry.Unregistering is null)
            {
                entry.Channels.Add(channel);
                thread.Channels.Add(device, channel);
                return channel;
            }
        }
        channel.Destroy();
        throw Unavailable(device);
    }

    public void PutChannel(IoChannel channel)
    {
        var thread = (StorageThreadCore)channel.Thread;
        if (!thread.IsCurrent) throw new InvalidOperationException($"A channel of storage thread '{thread.Name}' must be put there.");
        if (channel.References <= 0) throw new InvalidOperationException("The channel was put more often than it was taken.");
        if (--channel.References > 0) return;
        thread.Send(static state =>
        {
            var (table, channel) = ((IoDeviceTable, IoChannel))state!;
            if (channel.References == 0) table.Destroy(channel);
        }, (this, channel));
    }

    private void Destroy(IoChannel channel)
    {
        var thread = (StorageThreadCore)channel.Thread;
        // A put, get, put sequence sends two messages; the first one does the work.
        if (!thread.Channels.TryGetValue(channel.Device, out var current) || !ReferenceEquals(current, channel)) return;
        thread.Channels.Remove(channel.Device);
        try
        {
            channel.Destroy();
        }
        catch (Exception exception)
        {
            thread.ReportFault($"Destroy of {channel.GetType().Name}", exception);
        }
        lock (_lock)
        {
            if (channel.Device.HostState is not Entry entry) return;
            entry.Channels.Remove(channel);
            if (entry.Channels.Count == 0) entry.Unregistering?.TrySetResult();
        }
    }

    public async Task<int> ForEachChannelAsync(IoDevice device, Func<IoChannel, object?, int> function, object? state)
    {
        IoChannel[] channels;
        lock (_lock) channels = device.HostState is Entry entry ? [.. entry.Channels] : [];
        foreach (var channel in channels)
        {
            int result = 0;
            await VisitAsync(device, channel, () => result = function(channel, state));
            if (result != 0) return result;
        }
        return 0;
    }

    public Task ForEachChannelAtOnceAsync(IoDevice device, Action<IoChannel> function)
    {
        IoChannel[] channels;
        lock (_lock) channels = device.HostState is Entry entry ? [.. entry.Channels] : [];
        return Task.WhenAll([.. channels.Select(channel => VisitAsync(device, channel, () => function(channel)))]);
    }

    /// <summary>Runs a function on a channel's thread, unless the channel is gone by then.</summary>
    private static Task VisitAsync(IoDevice device, IoChannel channel, Action function)
    {
        var thread = (StorageThreadCore)channel.Thread;
        return thread.VisitAsync(() =>
        {
            if (thread.Channels.TryGetValue(device, out var current) && ReferenceEquals(current, channel)) function();
        });
    }

    /// <summary>How many channels a device has; for tests and statistics.</summary>
    public int ChannelCount(IoDevice device)
    {
        lock (_lock) return device.HostState is Entry entry ? entry.Channels.Count : 0;
    }

    private static Entry EntryOf(IoDevice device) => device.HostState as Entry
        ?? throw new SpindleException(Errno.ENODEV, $"The I/O device {device.GetType().Name} is not registered.");

    private static SpindleException Unavailable(IoDevice device) =>
        new(Errno.ENODEV, $"The I/O device '{((Entry)device.HostState!).Name}' is being unregistered.");
}
