using System.Collections.Concurrent;
using Spindle.Host.Environments;
using Spindle.Host.Reactors;
using Spindle.Threading;
using Spindle.UnitTests.Support;

namespace Spindle.UnitTests.Reactors;

public sealed class StorageThreadsOnTheTestEnvironment : StorageThreadTests
{
    protected override IHostEnvironment MakeEnvironment(int cores) => new TestEnvironment(cores);
}

public sealed class StorageThreadsOnIoUring : StorageThreadTests
{
    protected override IHostEnvironment MakeEnvironment(int cores) => OnLinux("io_uring");
}

public sealed class StorageThreadsOnEpoll : StorageThreadTests
{
    protected override IHostEnvironment MakeEnvironment(int cores) => OnLinux("epoll");
}

public sealed class StorageThreadsOnThePortableEnvironment : StorageThreadTests
{
    protected override IHostEnvironment MakeEnvironment(int cores) => HostEnvironment.Create(new HostEnvironmentOptions(Portable: true));
}

/// <summary>What storage threads promise, in every environment.</summary>
public abstract class StorageThreadTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    protected abstract IHostEnvironment MakeEnvironment(int cores);

    protected static IHostEnvironment OnLinux(string ring)
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("This ring is Linux's.");
        var environment = HostEnvironment.Create(new HostEnvironmentOptions(Ring: ring));
        if (environment.Fallbacks.FirstOrDefault(f => f.Contains(ring)) is { } reason) Assert.Skip(reason);
        return environment;
    }

    private Task<ReactorSystem> StartAsync(int cores = 2, bool spin = false)
    {
        var environment = MakeEnvironment(cores);
        if (environment.AvailableCores.Count < cores) Assert.Skip($"Needs {cores} cores.");
        return ReactorSystem.StartAsync(environment, new ReactorOptions([.. environment.AvailableCores.Take(cores)], spin));
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        var waited = System.Diagnostics.Stopwatch.StartNew();
        while (!condition() && waited.Elapsed < s_limit) await Task.Delay(5);
        Assert.True(condition());
    }

    [Fact]
    public async Task Messages_of_one_sender_arrive_in_order_even_when_the_mailbox_overflows()
    {
        await using var system = await StartAsync();
        var thread = system.CreateThread("receiver", system.Cores[1]);
        const int senders = 3, count = 30_000;
        var received = new ConcurrentDictionary<int, int>();
        int wrong = 0, total = 0;
        var done = new TaskCompletionSource();
        // Held at first, so that the ring fills and the overflow is used.
        using var gate = new ManualResetEventSlim();
        thread.Send(_ => gate.Wait(), null);
        var tasks = Enumerable.Range(0, senders).Select(sender => Task.Run(() =>
        {
            for (int i = 0; i < count; i++)
            {
                if (i == count / 3) gate.Set();
                thread.Send(state =>
                {
                    var (from, number) = ((int, int))state!;
                    if (received.GetValueOrDefault(from) != number) wrong++;
                    received[from] = number + 1;
                    if (++total == senders * count) done.SetResult();
                }, (sender, i));
            }
        }));
        await Task.WhenAll(tasks);
        await done.Task.WaitAsync(s_limit);
        Assert.Equal(0, wrong);
        Assert.True(((StorageThreadCore)thread).MessageOverflowCount > 0);
    }

    [Fact]
    public async Task A_sleeping_reactor_wakes_for_every_message()
    {
        await using var system = await StartAsync(1);
        for (int i = 0; i < 2000; i++)
        {
            var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            system.AppThread.Send(static state => ((TaskCompletionSource)state!).SetResult(), arrived);
            await arrived.Task.WaitAsync(s_limit);
            // Around the time after which the reactor goes to sleep.
            if (i % 3 == 0) Thread.SpinWait(Random.Shared.Next(60_000));
        }
        Assert.True(system.Reactors[0].SleepCount > 0);
    }

    [Fact]
    public async Task An_idle_reactor_sleeps_and_a_spinning_one_does_not()
    {
        await using var idle = await StartAsync(1);
        await using var spinning = await StartAsync(1, spin: true);
        await Task.Delay(200);
        await idle.AppThread.InvokeAsync(() => Task.CompletedTask);
        Assert.True(idle.Reactors[0].SleepTicks > 0);
        Assert.Equal(0, spinning.Reactors[0].SleepCount);
    }

    [Fact]
    public async Task An_await_comes_back_to_its_storage_thread_and_never_inline()
    {
        await using var system = await StartAsync();
        var thread = system.CreateThread("worker", system.Cores[1]);
        await thread.InvokeAsync(async () =>
        {
            Assert.Same(thread, StorageThread.Current);
            await Task.Yield();
            Assert.Same(thread, StorageThread.Current);
            await Task.Run(() => Assert.Null(StorageThread.Current));
            Assert.Same(thread, StorageThread.Current);
        }).WaitAsync(s_limit);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_message_awaits_is_not_continued_inside_a_poller_or_another_message(bool poller)
    {
        await using var system = await StartAsync(1);
        var thread = system.AppThread;
        var source = new TaskCompletionSource();
        bool completing = false, inline = false;
        var waiting = thread.InvokeAsync(async () =>
        {
            await source.Task;
            inline = completing;
            Assert.Same(thread, StorageThread.Current);
        });
        await thread.InvokeAsync(() =>
        {
            if (poller) thread.RegisterPoller("completes", _ => Complete(), null);
            else Complete();
            return Task.CompletedTask;
        }).WaitAsync(s_limit);
        await waiting.WaitAsync(s_limit);
        Assert.False(inline);

        PollResult Complete()
        {
            completing = true;
            source.TrySetResult();
            completing = false;
            return PollResult.Idle;
        }
    }

    [Fact]
    public async Task An_AsyncLocal_set_in_one_message_is_not_seen_in_the_next()
    {
        await using var system = await StartAsync(1);
        var local = new AsyncLocal<string?>();
        var seen = new TaskCompletionSource<string?>();
        system.AppThread.Send(_ => local.Value = "leaked", null);
        await Task.Delay(20);
        system.AppThread.Send(_ => seen.SetResult(local.Value), null);
        Assert.Null(await seen.Task.WaitAsync(s_limit));
    }

    [Fact]
    public async Task Pending_invocations_fail_when_the_reactors_end()
    {
        var system = await StartAsync(1);
        var never = new TaskCompletionSource();
        var pending = system.AppThread.InvokeAsync(() => never.Task);
        await system.AppThread.InvokeAsync(() => Task.CompletedTask).WaitAsync(s_limit);
        await system.DisposeAsync();
        var failure = await Assert.ThrowsAsync<SpindleException>(() => pending.WaitAsync(s_limit));
        Assert.Equal(Errno.ECANCELED, failure.Errno);
        Assert.False(system.AppThread.Send(static _ => { }, null));
    }

    [Fact]
    public async Task Pollers_run_by_their_period_and_may_pause_and_unregister_inside()
    {
        await using var system = await StartAsync(1);
        int active = 0, timed = 0, once = 0;
        IPoller? self = null;
        await system.AppThread.InvokeAsync(() =>
        {
            system.AppThread.RegisterPoller("active", _ => { active++; return PollResult.Idle; }, null);
            system.AppThread.RegisterPoller("timed", _ => { timed++; return PollResult.Busy; }, null, TimeSpan.FromMilliseconds(10));
            self = system.AppThread.RegisterPoller("once", _ => { once++; self!.Unregister(); return PollResult.Busy; }, null);
            return Task.CompletedTask;
        }).WaitAsync(s_limit);
        var running = System.Diagnostics.Stopwatch.StartNew();
        await UntilAsync(() => active > 1000 && timed >= 5);
        Assert.Equal(1, once);
        Assert.True(timed <= running.ElapsedMilliseconds / 10 + 2, $"{timed} runs in {running.ElapsedMilliseconds} ms");
    }

    [Fact]
    public async Task A_throwing_poller_is_unregistered_and_reported_and_others_go_on()
    {
        await using var system = await StartAsync(1);
        var faults = new ConcurrentQueue<ThreadFault>();
        system.Faulted += faults.Enqueue;
        int other = 0;
        await system.AppThread.InvokeAsync(() =>
        {
            system.AppThread.RegisterPoller("bad", _ => throw new InvalidOperationException("boom"), null);
            system.AppThread.RegisterPoller("good", _ => { other++; return PollResult.Idle; }, null);
            system.AppThread.Send(_ => throw new InvalidOperationException("bang"), null);
            return Task.CompletedTask;
        }).WaitAsync(s_limit);
        await UntilAsync(() => other > 10 && faults.Count >= 2);
        Assert.Contains(faults, f => f.Where.Contains("'bad'") && f.Text.Contains("boom"));
        Assert.Contains(faults, f => f.Where == "message" && f.Text.Contains("bang"));
        Assert.Equal(2, faults.Count);
    }

    [Fact]
    public async Task A_thread_exits_when_its_pollers_and_channels_are_gone()
    {
        await using var system = await StartAsync();
        var thread = system.CreateThread("short", system.Cores[1]);
        IPoller? poller = null;
        await thread.InvokeAsync(() =>
        {
            poller = thread.RegisterPoller("p", _ => PollResult.Idle, null);
            return Task.CompletedTask;
        });
        var exit = thread.ExitAsync();
        await Task.Delay(50);
        Assert.False(exit.IsCompleted);
        thread.Send(_ => poller!.Unregister(), null);
        await exit.WaitAsync(s_limit);
        Assert.True(thread.IsExited);
        Assert.DoesNotContain(thread, system.Threads);
    }

    [Fact]
    public async Task A_core_that_is_not_there_is_refused_by_name()
    {
        var failure = await Assert.ThrowsAsync<SpindleException>(() => ReactorSystem.StartAsync(new TestEnvironment(2), new ReactorOptions([0, 7])));
        Assert.Contains("core 7", failure.Message);
        Assert.Contains("0, 1", failure.Message);
    }

    [Fact]
    public async Task Sending_messages_allocates_nothing()
    {
        await using var system = await StartAsync(1);
        // The least of some rounds: the runtime makes objects of its own, when a method first runs and beside a collection that another test brings about.
        // What a message allocates it allocates in every round.
        long least = long.MaxValue;
        for (int round = 0; round < 6 && least != 0; round++) least = Math.Min(least, await Counter.RunAsync(system.AppThread).WaitAsync(s_limit));
        Assert.Equal(0, least);
    }

    private sealed class Counter
    {
        public int Left;
        public long Before;
        public IStorageThread Thread = null!;
        public TaskCompletionSource<long> Done = null!;
        public static readonly StorageMessage Next = Step;

        /// <summary>Has a thread send itself 200,000 messages, one after another.</summary>
        /// <returns>The bytes it allocated meanwhile.</returns>
        public static Task<long> RunAsync(IStorageThread thread)
        {
            var done = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            thread.Send(static state =>
            {
                var counter = (Counter)state!;
                counter.Before = GC.GetAllocatedBytesForCurrentThread();
                Step(counter);
            }, new Counter { Left = 200_000, Thread = thread, Done = done });
            return done.Task;
        }

        public static void Step(object? state)
        {
            var counter = (Counter)state!;
            if (--counter.Left > 0) counter.Thread.Send(Next, counter);
            else counter.Done.SetResult(GC.GetAllocatedBytesForCurrentThread() - counter.Before);
        }
    }
}
