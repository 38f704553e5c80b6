using Spindle.Threading;
using Spindle.UnitTests.Support;

namespace Spindle.UnitTests.Reactors;

public sealed class IoDeviceTests
{
    private sealed class Device : IoDevice
    {
        public int Created, Destroyed;

        protected override IoChannel CreateChannel(IStorageThread thread)
        {
            Interlocked.Increment(ref Created);
            return new Channel(this);
        }
    }

    private sealed class Channel(Device device) : IoChannel
    {
        protected override void Destroy() => Interlocked.Increment(ref device.Destroyed);
    }

    [Fact]
    public async Task A_thread_has_one_channel_and_it_goes_with_the_last_reference()
    {
        await using var host = await BdevHost.StartAsync(2);
        var device = new Device();
        host.Threads.RegisterDevice(device, "device");
        await host.RunOnAsync(1, async _ =>
        {
            var first = host.Threads.GetChannel(device);
            Assert.Same(first, host.Threads.GetChannel(device));
            host.Threads.PutChannel(first);
            host.Threads.PutChannel(first);
            // Between the last put and its message, a get keeps the channel.
            Assert.Same(first, host.Threads.GetChannel(device));
            await Task.Delay(20);
            Assert.Equal(0, device.Destroyed);
            host.Threads.PutChannel(first);
            Assert.Throws<InvalidOperationException>(() => host.Threads.PutChannel(first));
            await Task.Delay(20);
            Assert.Equal(1, device.Destroyed);
        });
        await host.Threads.UnregisterDeviceAsync(device);
        Assert.Equal(1, device.Created);
    }

    [Fact]
    public async Task Unregistering_waits_for_channels_and_refuses_new_ones()
    {
        await using var host = await BdevHost.StartAsync(2);
        var device = new Device();
        host.Threads.RegisterDevice(device, "device");
        await host.RunOnAsync(1, async _ =>
        {
            var channel = host.Threads.GetChannel(device);
            var gone = host.Threads.UnregisterDeviceAsync(device);
            await Task.Delay(20);
            Assert.False(gone.IsCompleted);
            await host.Threads.AppThread.InvokeAsync(() =>
            {
                Assert.Equal(Errno.ENODEV, Assert.Throws<SpindleException>(() => host.Threads.GetChannel(device)).Errno);
                return Task.CompletedTask;
            });
            host.Threads.PutChannel(channel);
            await gone.WaitAsync(TimeSpan.FromSeconds(5));
        });
        Assert.Equal(1, device.Destroyed);
    }

    [Fact]
    public async Task For_each_channel_visits_each_on_its_own_thread_and_stops_at_an_error()
    {
        await using var host = await BdevHost.StartAsync(2);
        var device = new Device();
        host.Threads.RegisterDevice(device, "device");
        var threads = new[] { host.Threads.CreateThread("a", 0), host.Threads.CreateThread("b", 1), host.Threads.CreateThread("c", 1) };
        var channels = new List<IoChannel>();
        foreach (var thread in threads)
        {
            await thread.InvokeAsync(() =>
            {
                channels.Add(host.Threads.GetChannel(device));
                return Task.CompletedTask;
            });
        }
        int visited = 0;
        int result = await host.Threads.ForEachChannelAsync(device, (channel, _) =>
        {
            Assert.Same(channel.Thread, StorageThread.Current);
            visited++;
            return 0;
        }, null);
        Assert.Equal((0, 3), (result, visited));
        visited = 0;
        result = await host.Threads.ForEachChannelAsync(device, (_, _) => ++visited == 2 ? -5 : 0, null);
        Assert.Equal((-5, 2), (result, visited));
        foreach (var channel in channels)
        {
            await channel.Thread.InvokeAsync(() =>
            {
                host.Threads.PutChannel(channel);
                return Task.CompletedTask;
            });
        }
        await host.Threads.UnregisterDeviceAsync(device);
    }
}
