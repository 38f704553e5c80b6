using System.Diagnostics;
using System.Net;
using Spindle.Io;

namespace Spindle.UnitTests.Environment;

public abstract partial class RingConformance
{
    [Fact]
    public void TimeoutsCompleteInOrderOfTheirDelay()
    {
        var order = new List<int>();
        var watch = Stopwatch.StartNew();
        foreach (var delay in new[] { 60, 20, 40, 0 })
        {
            var operation = new TestOperation { Then = (_, r) => { Assert.Equal(0, r); order.Add(delay); Assert.True(watch.ElapsedMilliseconds >= delay); } };
            Assert.Equal(0, _f.Ring.Timeout(TimeSpan.FromMilliseconds(delay), operation));
        }
        _f.Until(() => order.Count == 4);
        Assert.Equal([0, 20, 40, 60], order);
        Assert.True(watch.ElapsedMilliseconds < 5000);
    }

    [Fact]
    public void EventKeepsASignalRaisedBeforeTheWait()
    {
        var raised = _f.Own(_f.Io.CreateEvent());
        raised.Signal();
        raised.Signal();
        Assert.Equal(0, _f.Run(o => _f.Ring.Wait(raised, o)));
        // Two signals before a wait are one.
        var second = new TestOperation();
        Assert.Equal(0, _f.Ring.Wait(raised, second));
        for (var i = 0; i < 10; i++)
        {
            _f.Ring.Poll();
            _f.Ring.Sleep(TimeSpan.FromMilliseconds(1));
        }
        Assert.Equal(0, second.Completions);
        raised.Signal();
        _f.Until(() => second.Completions == 1);
        Assert.Equal(0, second.Result);
    }

    [Fact]
    public void EventIsSignalledFromOtherThreads()
    {
        var raised = _f.Own(_f.Io.CreateEvent());
        var done = 0;
        var operation = new TestOperation();
        operation.Then = (o, r) =>
        {
            if (r != 0) return;
            Volatile.Write(ref done, done + 1);
            Assert.Equal(0, _f.Ring.Wait(raised, o));
        };
        Assert.Equal(0, _f.Ring.Wait(raised, operation));
        var thread = new Thread(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                raised.Signal();
                while (Volatile.Read(ref done) <= i) Thread.Yield();
            }
        });
        thread.Start();
        _f.Until(() => done >= 500);
        thread.Join();
        _f.Ring.Cancel(operation);
        _f.Until(() => !operation.IsPending);
        Assert.Equal(-Errno.ECANCELED, operation.Result);
        Assert.Equal(501, operation.Completions);
    }

    [Fact]
    public void EachKindOfWaitingOperationCanBeCancelled()
    {
        var (client, server) = _f.Connect();
        using var listener = _f.Io.Listen(new IPEndPoint(IPAddress.Loopback, 0));
        var raised = _f.Own(_f.Io.CreateEvent());
        var big = _f.Buffer(1 << 20);
        var receive = new TestOperation();
        var send = new TestOperation();
        send.Then = (o, r) =>
        {
            if (r > 0) Assert.Equal(0, _f.Ring.Send(client, [big], o));
        };
        var accept = new TestOperation();
        var timeout = new TestOperation();
        var wait = new TestOperation();
        Assert.Equal(0, _f.Ring.Receive(client, [_f.Buffer(100)], receive));
        Assert.Equal(0, _f.Ring.Send(client, [big], send));
        Assert.Equal(0, _f.Ring.Accept(listener, accept));
        Assert.Equal(0, _f.Ring.Timeout(TimeSpan.FromHours(1), timeout));
        Assert.Equal(0, _f.Ring.Wait(raised, wait));
        for (var i = 0; i < 50; i++)
        {
            _f.Ring.Poll();
            _f.Ring.Sleep(TimeSpan.FromMilliseconds(1));
        }
        TestOperation[] all = [receive, send, accept, timeout, wait];
        Assert.All(all, o => Assert.True(o.IsPending));
        Assert.Equal(5, _f.Ring.PendingCount);
        foreach (var operation in all)
        {
            var before = operation.Completions;
            _f.Ring.Cancel(operation);
            Assert.Equal(before, operation.Completions);
        }
        _f.Until(() => _f.Ring.PendingCount == 0);
        Assert.All(all, o => Assert.Equal(-Errno.ECANCELED, o.Result));
        // The socket is as good as before.
        Assert.Equal(0, _f.Ring.Receive(client, [_f.Buffer(100)], receive));
        Assert.Equal(100, _f.Run(o => _f.Ring.Send(server, [_f.Buffer(100)], o)));
        _f.Until(() => !receive.IsPending);
        Assert.Equal(100, receive.Result);
    }

    [Fact]
    public void CancelRightAfterSubmittingEndsItOnce()
    {
        var file = _f.NewFile(1 << 20);
        var buffer = _f.Buffer(4096);
        var operations = Enumerable.Range(0, 500).Select(_ => new TestOperation()).ToArray();
        foreach (var operation in operations)
        {
            Assert.Equal(0, _f.Ring.Write(file, [buffer], 0, operation));
            _f.Ring.Cancel(operation);
            _f.Ring.Cancel(operation);
        }
        _f.Until(() => _f.Ring.PendingCount == 0);
        Assert.All(operations, o => Assert.Equal(1, o.Completions));
        Assert.All(operations, o => Assert.True(o.Result is 4096 or -Errno.ECANCELED, $"{o.Result}"));
        // Not pending any more: no effect, on it or on its successor in the same slot.
        _f.Ring.Cancel(operations[0]);
        Assert.Equal(4096, _f.Write(file, buffer, 0));
    }

    [Fact]
    public void SleepEndsAtItsTimeout()
    {
        _f.Ring.Poll();
        var watch = Stopwatch.StartNew();
        _f.Ring.Sleep(TimeSpan.FromMilliseconds(50));
        Assert.InRange(watch.ElapsedMilliseconds, 45, 5000);
    }

    [Fact]
    public void SleepEndsWhenACompletionIsThereAndRunsNone()
    {
        var operation = new TestOperation();
        Assert.Equal(0, _f.Ring.Timeout(TimeSpan.FromMilliseconds(20), operation));
        var watch = Stopwatch.StartNew();
        _f.Ring.Sleep(TimeSpan.FromSeconds(10));
        Assert.True(watch.ElapsedMilliseconds < 5000);
        Assert.Equal(0, operation.Completions);
        _f.Until(() => operation.Completions == 1);
    }

    [Fact]
    public void WakeBeforeSleepMakesItReturn()
    {
        _f.Ring.Poll();
        _f.Ring.Wake();
        _f.Ring.Poll();
        var watch = Stopwatch.StartNew();
        _f.Ring.Sleep(TimeSpan.FromSeconds(10));
        Assert.True(watch.ElapsedMilliseconds < 5000);
    }

    /// <summary>Two threads hand a token back and forth, each hand-over a sleep that only the wake ends: one lost wake-up and it stands still.</summary>
    [Theory, Trait("Category", "Slow")]
    [InlineData(true)]
    [InlineData(false)]
    public void NoWakeIsLost(bool pollBetween)
    {
        const int rounds = 20_000;
        var turn = 0;
        var thread = new Thread(() =>
        {
            for (var i = 0; i < rounds; i++)
            {
                while (Volatile.Read(ref turn) != 2 * i) Thread.SpinWait(i & 63);
                if ((i & 7) == 0) Thread.Yield();
                Volatile.Write(ref turn, 2 * i + 1);
                _f.Ring.Wake();
            }
        });
        thread.Start();
        for (var i = 0; i < rounds; i++)
        {
            while (Volatile.Read(ref turn) != 2 * i + 1)
            {
                var watch = Stopwatch.StartNew();
                _f.Ring.Sleep(TimeSpan.FromSeconds(20));
                Assert.True(watch.Elapsed.TotalSeconds < 19, $"a wake was lost in round {i}");
                if (pollBetween) _f.Ring.Poll();
            }
            Volatile.Write(ref turn, 2 * i + 2);
        }
        thread.Join();
    }

    [Fact]
    public void DisposeEndsPendingOperations()
    {
        var (client, _) = _f.Connect();
        var receive = new TestOperation();
        var timeout = new TestOperation();
        Assert.Equal(0, _f.Ring.Receive(client, [_f.Buffer(100)], receive));
        Assert.Equal(0, _f.Ring.Timeout(TimeSpan.FromHours(1), timeout));
        _f.Ring.Poll();
        var watch = Stopwatch.StartNew();
        _f.Ring.Dispose();
        Assert.True(watch.ElapsedMilliseconds < 3000);
        Assert.Equal((1, -Errno.ECANCELED), (receive.Completions, receive.Result));
        Assert.Equal((1, -Errno.ECANCELED), (timeout.Completions, timeout.Result));
    }
}
