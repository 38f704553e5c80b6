using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Host.Memory;
using Spindle.Host.Reactors;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.UnitTests.Support;

/// <summary>The real reactors and bdev layer over the test environment. Disposing fails when something was left behind.</summary>
internal sealed class BdevHost : IAsyncDisposable
{
    private BdevHost(TestEnvironment environment, ReactorSystem threads)
    {
        Environment = environment;
        Threads = threads;
        Iobuf = new IobufPools(environment.Memory);
        Registry = new BdevRegistry(threads, environment.Memory, Iobuf);
        Bdevs = Registry.ForModule("test");
        Registry.ModuleFaulted += fault => Faults.Enqueue(fault);
    }

    public TestEnvironment Environment { get; }
    public ReactorSystem Threads { get; }
    public IobufPools Iobuf { get; }
    public BdevRegistry Registry { get; }
    public IBdevRegistry Bdevs { get; }
    public System.Collections.Concurrent.ConcurrentQueue<ModuleFault> Faults { get; } = new();

    public static async Task<BdevHost> StartAsync(int cores = 1)
    {
        var environment = new TestEnvironment(cores);
        return new BdevHost(environment, await ReactorSystem.StartAsync(environment, new ReactorOptions(environment.AvailableCores)));
    }

    /// <summary>Runs on the app thread, with a limit.</summary>
    public Task RunAsync(Func<Task> function) => Threads.AppThread.InvokeAsync(function).WaitAsync(TimeSpan.FromSeconds(30));

    /// <summary>Runs on a storage thread of its own on the given core.</summary>
    public async Task RunOnAsync(int core, Func<IStorageThread, Task> function)
    {
        var thread = Threads.CreateThread($"test_{core}_{Guid.NewGuid():N}", core);
        await thread.InvokeAsync(() => function(thread)).WaitAsync(TimeSpan.FromSeconds(30));
        await thread.ExitAsync().WaitAsync(TimeSpan.FromSeconds(10));
    }

    public async ValueTask DisposeAsync()
    {
        await RunAsync(async () =>
        {
            foreach (var bdev in Registry.All.Reverse()) await Registry.UnregisterAsync(bdev);
        });
        var inUse = Iobuf.InUse;
        await Threads.DisposeAsync();
        Registry.Dispose();
        Iobuf.Dispose();
        Assert.Equal((0, 0), inUse);
        Assert.Equal(0, Environment.TestMemory.Live);
    }
}

/// <summary>Awaitable I/O for tests.</summary>
internal static class ChannelExtensions
{
    public delegate int Submission(BdevIoCallback callback, object? state);

    /// <summary>Submits, and gives the result; a refused submission is an exception.</summary>
    public static Task<BdevIoResult> IoAsync(this IBdevChannel channel, Func<IBdevChannel, BdevIoCallback, object?, int> submit)
    {
        var done = new TaskCompletionSource<BdevIoResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        int error = submit(channel, static (object? state, in BdevIoResult result) =>
        {
            if (!((TaskCompletionSource<BdevIoResult>)state!).TrySetResult(result)) throw new InvalidOperationException("completed twice");
        }, done);
        return error == 0 ? done.Task : Task.FromException<BdevIoResult>(new SpindleException(error));
    }

    public static Task<BdevIoResult> ReadAsync(this IBdevChannel channel, IoVec[] buffers, ulong offset, ulong blocks) =>
        channel.IoAsync((c, callback, state) => c.Read(buffers, offset, blocks, callback, state));

    public static Task<BdevIoResult> WriteAsync(this IBdevChannel channel, IoVec[] buffers, ulong offset, ulong blocks) =>
        channel.IoAsync((c, callback, state) => c.Write(buffers, offset, blocks, callback, state));
}
