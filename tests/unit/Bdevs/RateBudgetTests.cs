using System.Diagnostics;
using Spindle.Host.Bdevs.Qos;

namespace Spindle.UnitTests.Bdevs;

/// <summary>The tokens of one limit: never more than came with time, and none lost while somebody waits.</summary>
public sealed class RateBudgetTests
{
    private static readonly long s_millisecond = Stopwatch.Frequency / 1000;

    [Theory]
    [InlineData(1000ul)]
    [InlineData(123_000ul)]
    [InlineData(1ul << 20)]
    [InlineData(40ul << 30)]
    [InlineData(ulong.MaxValue)]
    public void Random_draws_add_up_to_what_came(ulong rate)
    {
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var random = new Random(seed);
        long now = random.NextInt64(1 << 40), start = now;
        var budget = new RateBudget(rate, now);
        var share = budget.AddShare();
        double perTick = Math.Min(rate, 1UL << 60) / (double)Stopwatch.Frequency;
        long most = (long)Math.Max(1, perTick * s_millisecond / 2);
        double drawn = 0, largest = 0;
        for (int step = 0; step < 5_000; step++)
        {
            now += random.NextInt64(2 * s_millisecond);
            // Somebody who always wants more: whatever there is goes.
            while (true)
            {
                long need = random.NextInt64(1, most + 2), got = budget.Draw(share, need, waited: true, now);
                if (got == 0) break;
                Assert.True(got >= need);
                drawn += got;
                largest = Math.Max(largest, need);
            }
            double came = (now - start) * perTick + perTick * s_millisecond + 1;
            // A message for each of so many steps would be garbage that tests of the process's memory see.
            if (drawn > came * (1 + 1e-9) + largest + 1) Assert.Fail($"step {step}: {drawn} were drawn, {came} came");
            if (drawn < came * (1 - 1e-9) - perTick * s_millisecond - 2) Assert.Fail($"step {step}: {drawn} were drawn of {came}");
        }
    }

    [Fact]
    public void Idle_time_is_no_credit_and_a_standstill_is_worth_a_tenth_of_a_second()
    {
        var budget = new RateBudget(1_000_000, 0);
        var share = budget.AddShare();
        long Drain(bool waited, long now)
        {
            long sum = 0;
            while (budget.Draw(share, 1, waited, now) is > 0 and var got) sum += got;
            return sum;
        }
        Assert.Equal(1000, Drain(false, 0));
        share.WaitingAt = 0;
        Assert.Equal(1000, Drain(false, 3600 * Stopwatch.Frequency));
        Assert.Equal(100_000, Drain(true, 7200 * Stopwatch.Frequency));
    }

    [Fact]
    public void One_that_waits_is_let_first_by_one_that_is_ahead_until_it_is_given_up()
    {
        var budget = new RateBudget(1_000_000, 0);
        RateShare ahead = budget.AddShare(), waits = budget.AddShare();
        long now = s_millisecond;
        while (budget.Draw(ahead, 1, true, now) > 0) { }
        Assert.Equal(0, budget.Draw(waits, 1, true, now)); // there are none: from now on it waits
        int turns = 0;
        for (; budget.Available <= 0 && turns < 100; turns++)
        {
            now += s_millisecond;
            while (budget.Draw(ahead, 1, true, now) > 0) { }
            if (budget.Available > 0) break;
        }
        // It was let some milliseconds' worth ahead, then tokens are left for the other.
        Assert.InRange(turns, 1, 8);
        Assert.True(budget.Draw(waits, 1, true, now) > 0);
        // One whose reactor hangs looks no more: after a while it counts no longer.
        while (budget.Draw(waits, 1, true, now) > 0) { }
        long later = now;
        for (int i = 0; i < 15; i++)
        {
            later += s_millisecond;
            while (budget.Draw(ahead, 1, true, later) > 0) { }
        }
        Assert.True(budget.Available > 0);
        Assert.True(budget.Draw(ahead, 1, true, now + 30 * s_millisecond) > 0);
        // What a share leaves is anybody's.
        long left = budget.Available;
        budget.RemoveShare(ahead, 7);
        Assert.Equal(left + 7, budget.Available);
    }

    [Fact]
    public async Task Threads_that_draw_at_once_get_what_came_and_no_more()
    {
        const ulong rate = 100_000_000;
        var budget = new RateBudget(rate, 0);
        long now = 0, total = 0, looks = 0;
        bool stop = false;
        var threads = Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(() =>
        {
            var share = budget.AddShare();
            long mine = 0;
            while (!Volatile.Read(ref stop))
            {
                long got = budget.Draw(share, 1, waited: true, Volatile.Read(ref now));
                mine += got;
                if (got > 0) continue;
                Interlocked.Increment(ref looks);
                Thread.Yield();
            }
            Interlocked.Add(ref total, mine);
        }, TaskCreationOptions.LongRunning)).ToArray();
        for (int i = 0; i < 1000; i++)
        {
            Volatile.Write(ref now, now + s_millisecond / 10);
            // Time waits until they have found that there is no more: more than a tenth of a second's would be lost.
            for (long seen = Volatile.Read(ref looks); Volatile.Read(ref looks) < seen + 8;) Thread.Yield();
        }
        Volatile.Write(ref stop, true);
        await Task.WhenAll(threads);
        // What those left who let one first that did not run by then.
        var last = budget.AddShare();
        now += 30 * s_millisecond;
        while (budget.Draw(last, 1, waited: true, now) is > 0 and var got) total += got;
        double came = now / (double)Stopwatch.Frequency * rate + rate / 1000.0;
        Assert.InRange(total + Math.Max(0, budget.Available), came * 0.99, came * 1.01);
    }
}
