using System.Diagnostics;
using System.Reflection;
using Spindle.Io;
using Spindle.Threading;

namespace Spindle.NvmfTests.Tcp.Bench;

/// <summary>A storage thread that the test turns by hand.</summary>
internal sealed class TestThread : IStorageThread
{
    private readonly Queue<(StorageMessage, object?)> _messages = new();
    private readonly List<TestPoller> _pollers = [];

    public TestRing TestRing { get; } = new();

    public ulong Id => 1;
    public string Name => "test";
    public int Core => 0;
    public bool IsCurrent => true;
    public bool IsExited => false;
    public IIoRing Ring => TestRing;
    public long Now => Stopwatch.GetTimestamp();
    public SynchronizationContext SynchronizationContext { get; } = new();

    public bool Send(StorageMessage message, object? state)
    {
        _messages.Enqueue((message, state));
        return true;
    }

    public IPoller RegisterPoller(string name, PollerFunction function, object? state, TimeSpan period = default, PollerWake wake = PollerWake.MustPoll)
    {
        Assert.True(period > TimeSpan.Zero || wake == PollerWake.Events, "a poller that keeps the reactor awake");
        var poller = new TestPoller(name, function, state, period);
        _pollers.Add(poller);
        return poller;
    }

    public Task InvokeAsync(Func<Task> function) => function();

    public Task ExitAsync() => Task.CompletedTask;

    /// <summary>Timed pollers that run.</summary>
    public int TimersRunning => _pollers.Count(p => p.Period > TimeSpan.Zero && !p.IsPaused && !p.IsUnregistered);

    /// <summary>One loop of a reactor.</summary>
    public bool Turn()
    {
        bool busy = false;
        while (_messages.TryDequeue(out (StorageMessage Message, object? State) item))
        {
            item.Message(item.State);
            busy = true;
        }
        for (int i = 0; i < _pollers.Count; i++) busy |= _pollers[i].Turn();
        return TestRing.Poll() || busy;
    }

    /// <summary>Loops until nothing is left to do.</summary>
    public void Run()
    {
        for (int i = 0; Turn(); i++)
        {
            if (i > 10_000_000) Assert.Fail("never idle");
        }
    }

    /// <summary>Makes this the current storage thread of the calling operating-system thread.</summary>
    public void Enter() => typeof(StorageThread).GetProperty(nameof(StorageThread.Current), BindingFlags.Public | BindingFlags.Static)!.SetValue(null, this);

    public static void Leave() => typeof(StorageThread).GetProperty(nameof(StorageThread.Current), BindingFlags.Public | BindingFlags.Static)!.SetValue(null, null);

    private sealed class TestPoller(string name, PollerFunction function, object? state, TimeSpan period) : IPoller
    {
        private long _next;

        public string Name => name;
        public TimeSpan Period => period;
        public bool IsPaused { get; private set; }
        public bool IsUnregistered { get; private set; }

        public void Pause() => IsPaused = true;
        public void Resume() => IsPaused = false;
        public void Unregister() => IsUnregistered = true;

        public bool Turn()
        {
            if (IsPaused || IsUnregistered) return false;
            if (period > TimeSpan.Zero)
            {
                long now = Stopwatch.GetTimestamp();
                if (now < _next) return false;
                _next = now + (long)(period.TotalSeconds * Stopwatch.Frequency);
            }
            return function(state) == PollResult.Busy;
        }
    }
}
