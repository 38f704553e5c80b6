using Spindle.Memory;
using Spindle.Parity;
using Spindle.Parity.Lanes;

namespace Spindle.ContractTests.Parity;

/// <summary>P and Q, and what is made again from them, against sums one byte at a time; for every width of lanes that the processor has.</summary>
public sealed unsafe class ParityTests
{
    public static TheoryData<int> Widths => [8, 16, 32, 64];

    private delegate void Kernel(byte** strips, int count, int first, int second, nuint length);

    private static Kernel Recovery(int width) => width switch
    {
        8 => StripRecovery<Lanes8>.Recover,
        16 => Needs<Lanes16>(StripRecovery<Lanes16>.Recover),
        32 => Needs<Lanes32>(StripRecovery<Lanes32>.Recover),
        // In halves where there is no AVX-512.
        64 => Needs<Lanes32>(StripRecovery<Lanes64>.Recover),
        _ => StripeParity.Recover,
    };

    private static Kernel Needs<T>(Kernel kernel) where T : struct, ILanes<T>
    {
        if (!T.IsSupported) Assert.Skip($"this processor has no lanes of {T.Size} bytes");
        return kernel;
    }

    [Fact]
    public void The_field_is_that_of_RAID_6()
    {
        // Anvin, "The mathematics of RAID-6", 2: the powers of 2 modulo 11Dh.
        Assert.Equal([1, 2, 4, 8, 16, 32, 64, 128, 0x1D, 0x3A], Enumerable.Range(0, 10).Select(i => (int)GaloisField.Power(i)));
        Assert.Equal(255, Enumerable.Range(0, 255).Select(GaloisField.Power).Distinct().Count());
        for (int a = 0; a < 256; a++)
        {
            for (int b = 0; b < 256; b++) Assert.Equal(SlowProduct((byte)a, (byte)b), GaloisField.Multiply((byte)a, (byte)b));
            if (a != 0) Assert.Equal(1, GaloisField.Multiply((byte)a, GaloisField.Inverse((byte)a)));
        }
        Assert.Equal(GaloisField.Inverse(GaloisField.Power(7)), GaloisField.Power(-7));
        Assert.Throws<DivideByZeroException>(() => GaloisField.Inverse(0));
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Any_two_lost_strips_come_back(int width)
    {
        var recover = Recovery(width);
        var random = new Random(width);
        foreach (int count in new[] { 1, 2, 3, 4, 7, 16 })
        {
            using var stripe = new Stripe(random, count, 1 + random.Next(700));
            for (int first = 0; first < count + 2; first++)
            {
                for (int second = -1; second < count + 2; second++)
                {
                    if (second != first) stripe.LoseAndRecover(recover, first, second);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Any_length_and_alignment_and_nothing_beside_it(int width)
    {
        var recover = Recovery(width);
        var random = new Random(width + 1);
        for (int length = 1; length < 600; length += 1 + random.Next(9))
        {
            int count = 1 + random.Next(9), first = random.Next(count + 2), second = random.Next(-1, count + 2);
            using var stripe = new Stripe(random, count, length);
            if (second != first) stripe.LoseAndRecover(recover, first, second);
        }
    }

    [Fact]
    public void As_many_strips_as_the_field_has_coefficients()
    {
        var random = new Random(5);
        using var stripe = new Stripe(random, GaloisField.MaxData, 97);
        for (int i = 0; i < 300; i++)
        {
            int first = random.Next(257), second = random.Next(-1, 257);
            if (first != second) stripe.LoseAndRecover(StripeParity.Recover, first, second);
        }
    }

    [Fact]
    public void What_changes_is_added_to_P_and_Q()
    {
        var random = new Random(6);
        for (int round = 0; round < 60; round++)
        {
            int count = 1 + random.Next(20), index = random.Next(count), length = 1 + random.Next(300);
            using var stripe = new Stripe(random, count, length);
            byte[] change = new byte[length];
            random.NextBytes(change);
            fixed (byte* delta = change)
            {
                StripeParity.Add(stripe.Strips[index], delta, (nuint)length);
                StripeParity.Add(stripe.Strips[count], delta, (nuint)length);
                StripeParity.UpdateQ(stripe.Strips[count + 1], delta, index, (nuint)length);
            }
            stripe.AssertParity();
        }
    }

    [Fact]
    public void Data_in_vectors_that_are_split_anywhere()
    {
        var random = new Random(7);
        for (int round = 0; round < 300; round++)
        {
            int count = 1 + random.Next(9);
            uint strip = 1 + (uint)random.Next(400);
            byte[] data = new byte[count * strip + random.Next(3)];
            random.NextBytes(data);
            byte[] p = new byte[strip + 1], q = new byte[strip + 1], twoP = new byte[strip];
            fixed (byte* at = data, pAt = p, qAt = q, alone = twoP)
            {
                var vectors = new List<IoVec>();
                for (uint done = 0; done < data.Length;)
                {
                    uint length = Math.Min((uint)random.Next(300), (uint)data.Length - done);
                    vectors.Add(new IoVec(at + done, length));
                    done += length;
                }
                ScatteredParity.Generate(vectors.ToArray(), count, strip, pAt, qAt);
                ScatteredParity.Generate(vectors.ToArray(), count, strip, alone, null);
                for (int i = 0; i < strip; i++)
                {
                    byte sum = 0, weighted = 0;
                    for (int d = 0; d < count; d++)
                    {
                        sum ^= data[d * strip + i];
                        weighted ^= SlowProduct(SlowPower(d), data[d * strip + i]);
                    }
                    Assert.Equal((sum, weighted, sum), (p[i], q[i], twoP[i]));
                }
                Assert.Equal((0, 0), (p[strip], q[strip]));
            }
        }
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        using var stripe = new Stripe(new Random(8), 5, 4096);
        void Once()
        {
            StripeParity.Generate(stripe.Strips[5], stripe.Strips[6], stripe.Strips, 5, 4096);
            StripeParity.Recover(stripe.Strips, 5, 1, 3, 4096);
            StripeParity.Recover(stripe.Strips, 5, 2, -1, 4096);
            StripeParity.UpdateQ(stripe.Strips[6], stripe.Strips[0], 1, 4096);
            StripeParity.UpdateQ(stripe.Strips[6], stripe.Strips[0], 1, 4096);
            var vector = new IoVec(stripe.Strips[0], 4096);
            ScatteredParity.Generate(new ReadOnlySpan<IoVec>(in vector), 4, 1024, stripe.Strips[5], stripe.Strips[6]);
        }
        for (int i = 0; i < 100; i++) Once();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) Once();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static byte SlowProduct(byte a, byte b)
    {
        int product = 0, factor = a;
        for (; b != 0; b >>= 1, factor = (factor << 1) ^ (factor >= 128 ? 0x11D : 0))
            if ((b & 1) != 0) product ^= factor;
        return (byte)product;
    }

    private static byte SlowPower(int exponent)
    {
        byte power = 1;
        for (; exponent > 0; exponent--) power = SlowProduct(power, 2);
        return power;
    }

    /// <summary>A stripe whose parity was summed one byte at a time; each strip at an odd address, with guards about it.</summary>
    private sealed class Stripe : IDisposable
    {
        private const byte Guard = 0xA7;
        private readonly int _count, _length;
        private readonly byte[][] _truth;
        private readonly byte*[] _memory;

        public Stripe(Random random, int count, int length)
        {
            (_count, _length) = (count, length);
            Strips = (byte**)System.Runtime.InteropServices.NativeMemory.Alloc((nuint)((count + 2) * sizeof(byte*)));
            _memory = new byte*[count + 2];
            _truth = new byte[count + 2][];
            for (int i = 0; i < count + 2; i++)
            {
                _truth[i] = new byte[length];
                if (i < count) random.NextBytes(_truth[i]);
                _memory[i] = (byte*)System.Runtime.InteropServices.NativeMemory.Alloc((nuint)length + 128);
                new Span<byte>(_memory[i], length + 128).Fill(Guard);
                Strips[i] = _memory[i] + 1 + random.Next(63);
            }
            for (int d = 0; d < count; d++)
            {
                byte factor = SlowPower(d);
                for (int i = 0; i < length; i++)
                {
                    _truth[count][i] ^= _truth[d][i];
                    _truth[count + 1][i] ^= SlowProduct(factor, _truth[d][i]);
                }
            }
            for (int i = 0; i < count + 2; i++) _truth[i].CopyTo(Strip(i));
        }

        public byte** Strips { get; }

        private Span<byte> Strip(int i) => new(Strips[i], _length);

        public void LoseAndRecover(Kernel recover, int first, int second)
        {
            Strip(first).Fill(0x55);
            if (second >= 0) Strip(second).Fill(0xAA);
            recover(Strips, _count, first, second, (nuint)_length);
            for (int i = 0; i < _count + 2; i++)
            {
                Assert.True(Strip(i).SequenceEqual(_truth[i]), $"strip {i} of {_count} + 2 after {first} and {second} of {_length} bytes were lost");
                byte* end = Strips[i] + _length;
                Assert.Equal((Guard, Guard), (Strips[i][-1], *end));
            }
        }

        public void AssertParity()
        {
            for (int i = 0; i < _length; i++)
            {
                byte sum = 0, weighted = 0;
                for (int d = 0; d < _count; d++)
                {
                    sum ^= Strips[d][i];
                    weighted ^= SlowProduct(SlowPower(d), Strips[d][i]);
                }
                Assert.Equal((sum, weighted), (Strips[_count][i], Strips[_count + 1][i]));
            }
        }

        public void Dispose()
        {
            foreach (byte* memory in _memory) System.Runtime.InteropServices.NativeMemory.Free(memory);
            System.Runtime.InteropServices.NativeMemory.Free(Strips);
        }
    }
}
