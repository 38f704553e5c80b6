using System.Diagnostics;
using Spindle.Bdevs;
using Spindle.Host.Hosting;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.PluginTests.Support;

/// <summary>Reads and writes a bdev all the time at some depth, from a storage thread of its own, and checks every byte that it reads: each block holds its
/// number and how often it was written.</summary>
public sealed class Load : IAsyncDisposable
{
    private const int BlocksPerSlot = 16;

    private readonly IStorageThread _thread;
    private readonly DmaBuffer _memory;
    private readonly Slot[] _slots;
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IBdevDescriptor _descriptor = null!;
    private IBdevChannel _channel = null!;
    private volatile bool _stop;
    private int _active;

    private Load(SpindleHost host, IStorageThread thread, int depth, uint blockSize)
    {
        _thread = thread;
        _memory = host.Memory.Allocate((nuint)depth * blockSize);
        _slots = [.. Enumerable.Range(0, depth).Select(i => new Slot(this, i, _memory.Slice((nuint)i * blockSize, blockSize)))];
    }

    /// <summary>I/Os completed.</summary>
    public long Completed;

    /// <summary>I/Os that failed.</summary>
    public long Errors;

    /// <summary>What was wrong first; null when nothing was.</summary>
    public string? Problem { get; private set; }

    /// <summary>The slowest I/O.</summary>
    public TimeSpan Slowest => TimeSpan.FromSeconds(_slots.Max(s => s.SlowestTicks) / (double)Stopwatch.Frequency);

    /// <summary>Latencies in ticks, when they are kept.</summary>
    public List<long>? Latencies { get; set; }

    public bool RemoveCame { get; private set; }

    public static async Task<Load> StartAsync(SpindleHost host, string bdev, int depth, int? core = null)
    {
        var thread = host.Threads.CreateThread($"load_{bdev}_{Guid.NewGuid():N}", core);
        Load? load = null;
        await thread.InvokeAsync(() =>
        {
            var descriptor = host.Bdevs.Open(bdev, new BdevOpenOptions { Write = true, HideMetadata = true }, static (type, _, state) =>
            {
                if (type == BdevEventType.Remove) ((Func<Load?>)state!)()?.OnRemove();
            }, (Func<Load?>)(() => load));
            load = new Load(host, thread, depth, descriptor.BlockSize) { _descriptor = descriptor, _channel = descriptor.GetChannel() };
            if (descriptor.Bdev.BlockCount < (ulong)(depth * BlocksPerSlot)) throw new ArgumentException("The bdev is too small for that depth.");
            foreach (var slot in load._slots) slot.Begin();
            return Task.CompletedTask;
        });
        return load!;
    }

    private void OnRemove()
    {
        RemoveCame = true;
        _stop = true;
        if (_active == 0) End();
    }

    private void End()
    {
        if (_drained.Task.IsCompleted) return;
        _channel.Put();
        _descriptor.Close();
        _drained.TrySetResult();
    }

    /// <summary>Ends it; returns when all I/O has ended.</summary>
    public async Task StopAsync()
    {
        _stop = true;
        _thread.Send(static state =>
        {
            var self = (Load)state!;
            if (self._active == 0) self.End();
        }, this);
        await _drained.Task.WaitAsync(TimeSpan.FromSeconds(20));
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await _thread.ExitAsync();
        _memory.Dispose();
    }

    private sealed class Slot(Load load, int index, IoVec buffer)
    {
        private static readonly BdevIoCallback s_done = static (object? state, in BdevIoResult result) => ((Slot)state!).Done(in result);

        private readonly uint[] _written = new uint[BlocksPerSlot];
        private uint _round;
        private int _at;
        private bool _writing;
        private long _submitted;
        public long SlowestTicks;

        public void Begin()
        {
            load._active++;
            Next();
        }

        private void Next()
        {
            if (load._stop)
            {
                if (--load._active == 0) load.End();
                return;
            }
            _writing = (_round & 1) == 0;
            _at = (int)(_round / 2 * 7 % BlocksPerSlot);
            _round++;
            ulong block = (ulong)(index * BlocksPerSlot + _at);
            if (_writing) Stamp(buffer.Span, block, ++_written[_at]);
            else buffer.Span.Clear();
            _submitted = Stopwatch.GetTimestamp();
            int error = _writing ? load._channel.Write([buffer], block, 1, s_done, this) : load._channel.Read([buffer], block, 1, s_done, this);
            if (error != 0) Done(BdevIoResult.FromErrno(-error));
        }

        private static void Stamp(Span<byte> span, ulong block, uint version)
        {
            for (int i = 0; i + 12 <= span.Length; i += 12)
            {
                BitConverter.TryWriteBytes(span[i..], block);
                BitConverter.TryWriteBytes(span[(i + 8)..], version);
            }
        }

        private void Done(in BdevIoResult result)
        {
            long ticks = Stopwatch.GetTimestamp() - _submitted;
            SlowestTicks = Math.Max(SlowestTicks, ticks);
            load.Latencies?.Add(ticks);
            load.Completed++;
            if (!result.IsSuccess)
            {
                load.Errors++;
                load.Problem ??= $"{(_writing ? "write" : "read")} of block {index * BlocksPerSlot + _at}: {result}";
                load._stop |= load.RemoveCame;
                if (load.Errors > 100_000) load._stop = true;
            }
            else if (!_writing)
            {
                Span<byte> expected = stackalloc byte[(int)buffer.Length];
                expected.Clear();
                if (_written[_at] != 0) Stamp(expected, (ulong)(index * BlocksPerSlot + _at), _written[_at]);
                if (!expected.SequenceEqual(buffer.Span)) load.Problem ??= $"block {index * BlocksPerSlot + _at} does not hold what was written the {_written[_at]}. time";
            }
            // Never deeper: a failed submission comes here inside its own call.
            if (ReferenceEquals(StorageThread.Current, load._thread)) load._thread.Send(static state => ((Slot)state!).Next(), this);
        }
    }
}
