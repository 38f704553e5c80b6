using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Spindle.Parity;

namespace Spindle.PerformanceTests.Parity;

/// <summary>Parity in GB/s of data, on one core: run by hand, on a machine that does nothing else (modules/bdev-raid/README.md has the command).</summary>
public sealed unsafe class ParityThroughputTests
{
    [Fact(Explicit = true)]
    [Trait("Category", "Slow")]
    public void How_many_bytes_in_a_second()
    {
        var output = TestContext.Current.TestOutputHelper!;
        output.WriteLine("| strips of data | bytes of a strip | P | P and Q | two lost strips |");
        output.WriteLine("|---|---|---|---|---|");
        foreach (int strips in new[] { 2, 4, 8 })
        {
            foreach (int bytes in new[] { 4096, 65536 })
            {
                using var stripe = new Memory(strips + 2, bytes);
                double p = Rate(strips * bytes, () => StripeParity.Xor(stripe.Strips[strips], stripe.Strips, strips, (nuint)bytes));
                double both = Rate(strips * bytes, () => StripeParity.Generate(stripe.Strips[strips], stripe.Strips[strips + 1], stripe.Strips, strips, (nuint)bytes));
                double recovered = Rate(strips * bytes, () => StripeParity.Recover(stripe.Strips, strips, 0, 1, (nuint)bytes));
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {strips} | {bytes} | {p:0.0} GB/s | {both:0.0} GB/s | {recovered:0.0} GB/s |"));
                // Far below what any processor does with vectors; one byte at a time is below 1.
                Assert.True(p > 2 && both > 1, "the loops run without vectors");
            }
        }
    }

    private static double Rate(long bytes, Action once)
    {
        double best = 0;
        for (int round = 0; round < 5; round++)
        {
            long done = 0;
            var clock = Stopwatch.StartNew();
            do
            {
                for (int i = 0; i < 20; i++) once();
                done += 20 * bytes;
            }
            while (clock.ElapsedMilliseconds < 100);
            best = Math.Max(best, done / clock.Elapsed.TotalSeconds / 1e9);
        }
        return best;
    }

    private sealed class Memory : IDisposable
    {
        private readonly byte* _all;

        public Memory(int strips, int bytes)
        {
            _all = (byte*)NativeMemory.AlignedAlloc((nuint)(strips * (bytes + 64)), 4096);
            new Span<byte>(_all, strips * (bytes + 64)).Fill(0x5A);
            Strips = (byte**)NativeMemory.Alloc((nuint)(strips * sizeof(byte*)));
            for (int i = 0; i < strips; i++) Strips[i] = _all + i * (bytes + 64);
        }

        public byte** Strips { get; }

        public void Dispose()
        {
            NativeMemory.AlignedFree(_all);
            NativeMemory.Free(Strips);
        }
    }
}
