using System.Diagnostics;
using Spindle.Host.Reactors;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Host.Rpc.Methods;

/// <summary>What the storage threads and reactors do. Times are in ticks, of which <c>tick_rate</c> are a second.</summary>
internal sealed class ThreadMethods(ReactorSystem system)
{
    [RpcMethod("thread_get_stats", Summary = "Busy and idle time of each storage thread, and how many pollers it has.",
        ParameterErrorText = "'thread_get_stats' requires no arguments")]
    public async Task<ThreadStatisticsListReply> GetStatisticsAsync() => new() { Threads = await OnEachThreadAsync(Statistics) };

    [RpcMethod("thread_get_pollers", Summary = "The pollers of each storage thread.", ParameterErrorText = "'thread_get_pollers' requires no arguments")]
    public async Task<ThreadPollersListReply> GetPollersAsync() => new() { Threads = await OnEachThreadAsync(Pollers) };

    [RpcMethod("framework_get_reactors", Summary = "Busy and idle time of each reactor, and the storage threads it runs.",
        ParameterErrorText = "`framework_get_reactors` requires no arguments")]
    public ReactorsReply GetReactors()
    {
        var tids = CoreTimes.ReactorThreadIds();
        var times = CoreTimes.Read();
        return new ReactorsReply { Reactors = [.. system.Reactors.Select(r => Describe(r, tids.GetValueOrDefault(r.Core), times.GetValueOrDefault(r.Core)))] };
    }

    /// <summary>Runs a function on every storage thread, as what it reads is that thread's own. Threads that end meanwhile are left out.</summary>
    async Task<List<T>> OnEachThreadAsync<T>(Func<StorageThreadCore, T> function)
    {
        var results = new List<T>();
        foreach (var thread in system.Threads.Cast<StorageThreadCore>())
        {
            try
            {
                T result = default!;
                await thread.InvokeAsync(() =>
                {
                    result = function(thread);
                    return Task.CompletedTask;
                });
                results.Add(result);
            }
            catch (SpindleException)
            {
                // It has ended.
            }
        }
        return results;
    }

    static IEnumerable<Poller> Living(IEnumerable<Poller> pollers) => pollers.Where(p => !p.IsUnregistered);

    static ThreadStatisticsReply Statistics(StorageThreadCore thread) => new()
    {
        Name = thread.Name,
        Id = thread.Id,
        Cpumask = CoreTimes.Mask(thread.Core),
        Busy = (ulong)thread.BusyTicks,
        Idle = (ulong)thread.IdleTicks,
        ActivePollersCount = (ulong)Living(thread.ActivePollers).Count(p => !p.IsPaused),
        TimedPollersCount = (ulong)Living(thread.TimedPollers).Count(p => !p.IsPaused),
        PausedPollersCount = (ulong)Living(thread.ActivePollers.Concat(thread.TimedPollers)).Count(p => p.IsPaused),
    };

    static ThreadPollersReply Pollers(StorageThreadCore thread) => new()
    {
        Name = thread.Name,
        Id = thread.Id,
        ActivePollers = [.. Living(thread.ActivePollers).Where(p => !p.IsPaused).Select(Describe)],
        TimedPollers = [.. Living(thread.TimedPollers).Where(p => !p.IsPaused).Select(Describe)],
        PausedPollers = [.. Living(thread.ActivePollers.Concat(thread.TimedPollers)).Where(p => p.IsPaused).Select(Describe)],
    };

    static PollerReply Describe(Poller poller) => new()
    {
        Name = poller.Name,
        Id = poller.Id,
        State = poller.IsPaused ? "paused" : "waiting",
        RunCount = (ulong)poller.RunCount,
        BusyCount = (ulong)poller.BusyCount,
        PeriodTicks = poller.PeriodTicks > 0 ? (ulong)poller.PeriodTicks : null,
    };

    static ReactorReply Describe(Reactor reactor, int tid, CoreTimes times) => new()
    {
        Lcore = (uint)reactor.Core,
        Tid = (ulong)tid,
        Busy = (ulong)Volatile.Read(ref reactor.BusyTicks),
        Idle = (ulong)Volatile.Read(ref reactor.IdleTicks),
        Irq = times.Irq,
        Sys = times.System,
        Usr = times.User,
        LwThreads = [.. reactor.Threads.Select(t => new ReactorThreadReply
        {
            Name = t.Name,
            Id = t.Id,
            Cpumask = CoreTimes.Mask(t.Core),
            Elapsed = (ulong)(Stopwatch.GetTimestamp() - t.StartedAt),
        })],
    };
}

[RpcObject]
internal sealed class ThreadStatisticsListReply
{
    public ulong TickRate => (ulong)Stopwatch.Frequency;

    public IReadOnlyList<ThreadStatisticsReply> Threads { get; init; } = [];
}

[RpcObject]
internal sealed class ThreadPollersListReply
{
    public ulong TickRate => (ulong)Stopwatch.Frequency;

    public IReadOnlyList<ThreadPollersReply> Threads { get; init; } = [];
}

[RpcObject]
internal sealed class ThreadStatisticsReply
{
    public string Name { get; init; } = "";

    public ulong Id { get; init; }

    public string Cpumask { get; init; } = "";

    public ulong Busy { get; init; }

    public ulong Idle { get; init; }

    public ulong ActivePollersCount { get; init; }

    public ulong TimedPollersCount { get; init; }

    public ulong PausedPollersCount { get; init; }
}

[RpcObject]
internal sealed class ThreadPollersReply
{
    public string Name { get; init; } = "";

    public ulong Id { get; init; }

    public IReadOnlyList<PollerReply> ActivePollers { get; init; } = [];

    public IReadOnlyList<PollerReply> TimedPollers { get; init; } = [];

    public IReadOnlyList<PollerReply> PausedPollers { get; init; } = [];
}

[RpcObject]
internal sealed class PollerReply
{
    public string Name { get; init; } = "";

    public ulong Id { get; init; }

    public string State { get; init; } = "";

    public ulong RunCount { get; init; }

    public ulong BusyCount { get; init; }

    public ulong? PeriodTicks { get; init; }
}

[RpcObject]
internal sealed class ReactorsReply
{
    public ulong TickRate => (ulong)Stopwatch.Frequency;

    public ulong Pid => (ulong)System.Environment.ProcessId;

    public IReadOnlyList<ReactorReply> Reactors { get; init; } = [];
}

[RpcObject]
internal sealed class ReactorReply
{
    public uint Lcore { get; init; }

    public ulong Tid { get; init; }

    public ulong Busy { get; init; }

    public ulong Idle { get; init; }

    /// <summary>SPDK's interrupt mode; a reactor here polls while there is work and sleeps otherwise, which is neither.</summary>
    public bool InInterrupt => false;

    public ulong Irq { get; init; }

    public ulong Sys { get; init; }

    public ulong Usr { get; init; }

    public IReadOnlyList<ReactorThreadReply> LwThreads { get; init; } = [];
}

[RpcObject]
internal sealed class ReactorThreadReply
{
    public string Name { get; init; } = "";

    public ulong Id { get; init; }

    public string Cpumask { get; init; } = "";

    public ulong Elapsed { get; init; }
}
