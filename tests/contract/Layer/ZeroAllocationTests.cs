using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Host.Bdevs;
using Spindle.Host.Bdevs.Qos;
using Spindle.Memory;

namespace Spindle.ContractTests.Layer;

/// <summary>Steady I/O allocates nothing on the reactors' threads.</summary>
public sealed class ZeroAllocationTests(ContractHost host) : BdevTest(host)
{
    [Theory]
    [InlineData("malloc")]
    [InlineData("passthru on malloc")]
    [InlineData("passthru on null")]
    [InlineData("malloc, limited and counted")]
    [InlineData("crypto on malloc")]
    [InlineData("malloc, interleaved metadata hidden")]
    [InlineData("malloc, separate metadata hidden")]
    [InlineData("lvol on malloc")]
    [Trait("Category", "Slow")]
    public async Task A_million_ios_allocate_nothing(string stack)
    {
        bool hides = stack.EndsWith("hidden", StringComparison.Ordinal);
        const int quarter = 1_000_000 / 4;
        var subject = stack.EndsWith("null", StringComparison.Ordinal)
            ? await Subjects.NullAsync(Host, new() { NumBlocks = 65536, BlockSize = 512 })
            : await Subjects.MallocAsync(Host, new()
            {
                NumBlocks = stack.StartsWith("lvol", StringComparison.Ordinal) ? 131072ul : 65536,
                BlockSize = 512, MdSize = hides ? 8u : 0, DifType = hides ? 1 : 0, MdInterleave = stack.Contains("interleaved", StringComparison.Ordinal),
            });
        if (stack.StartsWith("passthru", StringComparison.Ordinal)) subject = await Subjects.PassthruAsync(Host, subject);
        if (stack.StartsWith("crypto", StringComparison.Ordinal)) subject = await Subjects.CryptoAsync(Host, subject);
        // Thick: the first write to a cluster of a thin one is the control plane's.
        if (stack.StartsWith("lvol", StringComparison.Ordinal)) subject = await Subjects.LvolAsync(Host, subject, thin: false, mebibytes: 32);
        foreach (string below in subject.Below) Track(below);
        Track(subject.Name);
        if (stack.EndsWith("counted", StringComparison.Ordinal))
        {
            await Host.OnAppAsync(async () =>
            {
                var bdev = Host.Registry.Find(subject.Name)!;
                await Host.Bdevs.SetRateLimitsAsync(bdev, new BdevRateLimits(400_000, 2000, 0, 1000)); // low enough that I/O waits, high enough for the test's patience
                await Host.Bdevs.SetHistogramAsync(bdev, new BdevHistogramOptions());
            });
        }
        var loads = new List<Load>();
        using var warm = new CountdownEvent(4);
        var clients = new List<BdevClient>();
        using var buffer = new TestBuffer(4096);
        for (int worker = 0; worker < 4; worker++)
        {
            var client = await OpenAsync(subject.Name, worker: worker, hideMetadata: hides);
            clients.Add(client);
            loads.Add(new Load(client, buffer.Vectors[0], quarter, warm));
        }
        foreach (var (client, load) in clients.Zip(loads)) await client.OnThreadAsync(load.Start);
        // Looked at from here: a signal from the reactor would itself allocate, and count for the other thread.
        await Eventually.IsTrueAsync(() => loads.TrueForAll(load => load.IsDone || load.Failure is not null), "the I/Os", seconds: 120);
        Assert.All(loads, load => Assert.Null(load.Failure));
        Assert.Equal([0L, 0, 0, 0], loads.Select(load => load.Allocated));
    }

    /// <summary>Warms up until all loads are warm, then counts what is allocated between the first and the last of its I/Os. The threads of one
    /// reactor share a counter, so that each also sees what the other does.</summary>
    private sealed class Load(BdevClient client, IoVec buffer, int ios, CountdownEvent warm)
    {
        private const int Warmup = 20_000;
        private const int Depth = 32;

        private readonly BdevIoCallback _done = OnDone;
        private readonly IoVec _buffer = buffer;
        private readonly int _ios = ios;
        private readonly CountdownEvent _warm = warm;
        private int _submitted;
        private int _completed;
        private int _until = int.MaxValue;
        private long _before;

        private volatile bool _isDone;
        private volatile string? _failure;

        public bool IsDone => _isDone;
        public string? Failure => _failure;
        public long Allocated { get; private set; } = -1;

        public void Start()
        {
            for (int i = 0; i < Depth; i++) Submit();
        }

        private void Submit()
        {
            int i = _submitted++;
            ulong offset = (ulong)i * 7919 % 65529;
            var vectors = new ReadOnlySpan<IoVec>(in _buffer);
            int error = i % 3 == 0 ? client.Channel.Write(vectors, offset, 8, _done, this) : client.Channel.Read(vectors, offset, 8, _done, this);
            if (error != 0) _failure = $"refused: {error}";
        }

        private static void OnDone(object? state, in BdevIoResult result)
        {
            var self = (Load)state!;
            if (!result.IsSuccess) self._failure = result.Status.ToString();
            self._completed++;
            if (self._completed == Warmup) self._warm.Signal();
            if (self._until == int.MaxValue && self._completed > Warmup && self._warm.IsSet)
            {
                self._until = self._completed + self._ios;
                self._before = GC.GetAllocatedBytesForCurrentThread();
            }
            if (self._completed == self._until)
            {
                self.Allocated = GC.GetAllocatedBytesForCurrentThread() - self._before;
                self._isDone = true;
            }
            if (!self._isDone) self.Submit();
        }
    }
}
