using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.ContractTests.Faults;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Host.Bdevs;
using Spindle.Host.Faults;

namespace Spindle.ContractTests.Layer.Timeouts;

/// <summary>I/O that does not complete, in a bdev or below it: what is done about it is said for each bdev.</summary>
public sealed class IoTimeoutTests : BdevTest, IAsyncLifetime
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMilliseconds(100);

    private readonly LogList _log = new();
    private readonly IoWatch _watch;

    public IoTimeoutTests(ContractHost host) : base(host)
    {
        // For all others there is no limit.
        _watch = new IoWatch(host.Threads, host.Bdevs, new FaultOptions { IoTimeout = TimeSpan.Zero }, _log);
        _watch.Start();
    }

    public new ValueTask DisposeAsync()
    {
        _watch.Stop();
        return base.DisposeAsync();
    }

    private sealed class LogList : ILogger
    {
        public ConcurrentQueue<string> Lines { get; } = new();
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
        public bool IsEnabled(LogLevel logLevel) => true;
        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Lines.Enqueue(formatter(state, exception));
    }

    private Task PolicyAsync(string name, IoTimeoutAction? action, TimeSpan? after = null) =>
        Host.OnAppAsync(() => Host.Bdevs.SetIoTimeout(Host.Registry.Find(name)!, new BdevIoTimeout(after ?? s_limit, action)));

    /// <summary>A disk that keeps the next read, at the bottom of a stack.</summary>
    private async Task<(BdevSubject Hung, BdevSubject Top)> StackAsync()
    {
        var disk = await Subjects.MallocAsync(Host, new() { Name = Track(ContractHost.NewName("disk")), NumBlocks = 1024, BlockSize = 512 });
        var hung = await Subjects.ErrorAsync(Host, disk);
        Track(hung.Name);
        var top = await Subjects.PassthruAsync(Host, hung, 2);
        foreach (string below in top.Below) Track(below);
        Track(top.Name);
        await Host.Modules.Error.CallAsync("bdev_error_inject_error", $$"""{"name":"{{hung.Name}}","io_type":"read","error_type":"pending"}""");
        return (hung, top);
    }

    private Task LoggedAsync(string text) => Eventually.IsTrueAsync(() => _log.Lines.Any(line => line.Contains(text, StringComparison.Ordinal)), $"'{text}' in the log");

    [Theory]
    [InlineData(IoTimeoutAction.Abort, true, "They are aborted")]
    [InlineData(IoTimeoutAction.Abort, false, "They are aborted")]
    [InlineData(IoTimeoutAction.Reset, true, "They are aborted")] // the first step was enough
    public async Task Through_a_stack_the_policy_ends_it(IoTimeoutAction action, bool atTop, string logged)
    {
        var (hung, top) = await StackAsync();
        await PolicyAsync(atTop ? top.Name : hung.Name, action);
        var client = await OpenAsync(top.Name);
        using var buffer = new TestBuffer(512);
        Assert.Equal(BdevIoStatus.Aborted, (await client.ReadAsync(buffer, 0, 1)).Status);
        await LoggedAsync(logged);
        Assert.True((await client.ReadAsync(buffer, 0, 1)).IsSuccess);
        await Eventually.IsTrueAsync(() => _watch.Stuck.Count == 0, "nothing is stuck any more");
        Assert.DoesNotContain(_log.Lines, line => line.Contains("reset", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_report_names_it_and_leaves_it_alone()
    {
        var (hung, top) = await StackAsync();
        await PolicyAsync(top.Name, IoTimeoutAction.Report);
        var client = await OpenAsync(top.Name);
        using var buffer = new TestBuffer(512);
        var read = client.ReadAsync(buffer, 0, 1);
        await Eventually.IsTrueAsync(() => _watch.Stuck.Count == 1, "the stuck read");
        Assert.Equal((top.Name, 1, "report"), (_watch.Stuck[0].Bdev, _watch.Stuck[0].Count, _watch.Stuck[0].Step));
        await LoggedAsync("Nothing is done about it by the policy");
        Assert.False(read.IsCompleted);
        // What was said later holds for what is stuck already.
        await PolicyAsync(top.Name, IoTimeoutAction.Abort);
        Assert.Equal(BdevIoStatus.Aborted, (await read).Status);
        Assert.Single(_log.Lines, line => line.Contains("Nothing is done", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(IoTimeoutAction.None, 100)]
    [InlineData(IoTimeoutAction.Reset, 0)]
    public async Task None_and_no_limit_do_nothing(IoTimeoutAction action, int milliseconds)
    {
        var (hung, top) = await StackAsync();
        await PolicyAsync(top.Name, action, TimeSpan.FromMilliseconds(milliseconds));
        await PolicyAsync(hung.Name, IoTimeoutAction.Report); // so that the test knows when it would have been seen
        var client = await OpenAsync(top.Name);
        using var buffer = new TestBuffer(512);
        var read = client.ReadAsync(buffer, 0, 1);
        await Eventually.IsTrueAsync(() => _watch.Stuck.Any(s => s.Oldest > 3 * s_limit), "the stuck read");
        Assert.Equal(hung.Name, Assert.Single(_watch.Stuck).Bdev);
        Assert.False(read.IsCompleted);
        Assert.True((await client.ResetAsync()).IsSuccess);
        Assert.Equal(BdevIoStatus.Aborted, (await read).Status);
    }

    /// <summary>A disk that keeps reads, and ends them as a test says.</summary>
    private async Task<TestBdev> KeeperAsync(bool endsByReset, params BdevIoType[] types)
    {
        string name = Track(ContractHost.NewName("keeper"));
        var kept = _kept;
        var bdev = new TestBdev(name)
        {
            OnSubmit = (self, io) =>
            {
                if (io.Type == BdevIoType.Read) kept.Add((io, io.Generation));
                else if (io.Type == BdevIoType.Abort) io.Complete(io.Generation, BdevIoStatus.Failed);
                else
                {
                    if (io.Type == BdevIoType.Reset && endsByReset)
                        foreach (var (old, generation) in kept) old.Complete(generation, BdevIoStatus.Aborted);
                    self.CarryOut(io);
                }
            },
        };
        foreach (var type in types) bdev.Types.Add(type);
        await Host.RegisterAsync(bdev);
        return bdev;
    }

    private readonly List<(BdevIo Io, uint Generation)> _kept = [];

    /// <summary>Completes at last what was failed for the disk: its buffers may be used again.</summary>
    private async Task CompleteTooLateAsync()
    {
        ExpectsFaults = true;
        var (io, generation) = Assert.Single(_kept);
        await io.Channel.Thread.InvokeAsync(() =>
        {
            io.Complete(generation, BdevIoStatus.Success);
            return Task.CompletedTask;
        });
        Assert.Contains("too late", Assert.Single(Host.TakeFaults()).Where);
    }

    [Fact]
    public async Task What_does_not_abort_is_reset()
    {
        var bdev = await KeeperAsync(endsByReset: true, BdevIoType.Abort, BdevIoType.Reset);
        await PolicyAsync(bdev.Name, IoTimeoutAction.Reset);
        var client = await OpenAsync(bdev.Name);
        using var buffer = new TestBuffer(512);
        Assert.Equal(BdevIoStatus.Aborted, (await client.ReadAsync(buffer, 0, 1)).Status);
        Assert.Contains(_log.Lines, line => line.Contains("They are aborted", StringComparison.Ordinal));
        await LoggedAsync("The bdev is reset");
    }

    [Fact]
    public async Task A_bdev_with_neither_is_not_held_for_a_reset_that_would_never_end()
    {
        var bdev = await KeeperAsync(endsByReset: false);
        await PolicyAsync(bdev.Name, IoTimeoutAction.Reset);
        var client = await OpenAsync(bdev.Name, closeWhenRemoved: true);
        using var buffer = new TestBuffer(512);
        var read = client.ReadAsync(buffer, 0, 1);
        await LoggedAsync("has none of the steps that the policy allows");
        await Eventually.IsTrueAsync(() => _watch.Stuck.Any(s => s.Oldest > 3 * s_limit), "some time to pass");
        Assert.True((await client.WriteAsync(buffer, 0, 1)).IsSuccess);
        Assert.False(read.IsCompleted);
        // As far as it goes: removal fails what the module keeps.
        await PolicyAsync(bdev.Name, IoTimeoutAction.Remove);
        Assert.Equal(Errno.EIO, (await read).Result.ErrorNumber);
        await Eventually.IsTrueAsync(() => Host.Registry.Find(bdev.Name) is null, "the bdev's removal");
        await CompleteTooLateAsync();
    }

    [Fact]
    public async Task At_the_bottom_removal_takes_the_stack_with_it()
    {
        var disk = await KeeperAsync(endsByReset: false);
        string top = Track(ContractHost.NewName("top"));
        await Host.OnAppAsync(() => Host.Modules.Passthru.Create(new() { BaseBdevName = disk.Name, Name = top }));
        var client = await OpenAsync(top, closeWhenRemoved: true);
        await PolicyAsync(disk.Name, IoTimeoutAction.Remove);
        using var buffer = new TestBuffer(512);
        var outcome = await client.ReadAsync(buffer, 0, 1);
        Assert.False(outcome.IsSuccess);
        await Eventually.IsTrueAsync(() => Host.Registry.Find(disk.Name) is null && Host.Registry.Find(top) is null, "the removal of both");
        await CompleteTooLateAsync();
    }
}
