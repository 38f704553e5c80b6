using Spindle.Io;
using Spindle.Memory;

namespace Spindle.UnitTests.Environment;

public abstract partial class RingConformance
{
    /// <summary>Socket echoes, direct and buffered file I/O, timers and events, over and over: not one managed byte.</summary>
    [Fact, Trait("Category", "Slow")]
    public void SteadyStateAllocatesNothing()
    {
        if (!AllocatesNothing) return;
        var (client, server) = _f.Connect();
        var file = _f.NewFile(1 << 20, direct: true);
        var buffered = _f.NewFile(1 << 20, name: "buffered");
        var raised = _f.Own(_f.Io.CreateEvent());
        var load = new Load[]
        {
            new(o => _f.Ring.Send(client, o.Single, o), _f.Buffer(256)),
            new(o => _f.Ring.Receive(server, o.Both, o), _f.Buffer(256)),
            new(o => _f.Ring.Read(file, o.Single, 0, o), _f.Buffer(4096)),
            new(o => _f.Ring.Write(file, o.Single, 4096, o), _f.Buffer(4096)),
            new(o => _f.Ring.Read(buffered, o.Both, 0, o), _f.Buffer(4096)),
            new(o => _f.Ring.Timeout(TimeSpan.FromMicroseconds(50), o), _f.Buffer(16)),
            new(o => { raised.Signal(); return _f.Ring.Wait(raised, o); }, _f.Buffer(16)),
        };
        foreach (var operation in load) operation.Go();
        Spin(load, 10_000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Spin(load, 100_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.All(load, l => Assert.True(l.Count > 100, "each kind took part"));
        foreach (var operation in load) operation.Stop();
        client.Shutdown();
        _f.Until(() => _f.Ring.PendingCount == 0);
    }

    private void Spin(Load[] load, long more)
    {
        var target = Total(load) + more;
        while (Total(load) < target)
        {
            if (_f.Ring.Poll() == 0) _f.Ring.Sleep(TimeSpan.FromMilliseconds(5));
        }
    }

    private static long Total(Load[] load)
    {
        var total = 0L;
        foreach (var operation in load) total += operation.Count;
        return total;
    }

    private sealed class Load(Func<Load, int> submit, IoVec buffer) : RingOperation
    {
        private readonly IoVec[] _vectors = [buffer.Slice(0, buffer.Length / 2), buffer.Slice(buffer.Length / 2, buffer.Length / 2)];
        private readonly IoVec[] _whole = [buffer];
        private bool _stopped;

        public long Count { get; private set; }
        public ReadOnlySpan<IoVec> Single => _whole;
        public ReadOnlySpan<IoVec> Both => _vectors;

        public void Go()
        {
            var result = submit(this);
            if (result != 0) throw new InvalidOperationException($"{result}");
        }

        public void Stop() => _stopped = true;

        protected override void OnCompleted(int result)
        {
            if (result < 0 && !_stopped) throw new InvalidOperationException($"{result}");
            Count++;
            if (!_stopped) Go();
        }
    }
}
