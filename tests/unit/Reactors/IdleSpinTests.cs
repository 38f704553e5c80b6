using System.Diagnostics;
using Spindle.Host.Reactors;

namespace Spindle.UnitTests.Reactors;

public class IdleSpinTests
{
    private const long Base = 50;
    private static readonly long s_short = Stopwatch.Frequency / 2000;
    private static readonly long s_long = Stopwatch.Frequency;

    [Fact]
    public void Short_sleeps_lengthen_it_up_to_the_limit()
    {
        var spin = new IdleSpin(Base);
        Assert.Equal(Base, spin.Ticks);
        spin.OnWoke(s_short, byEvent: true);
        Assert.Equal(2 * Base, spin.Ticks);
        for (int i = 0; i < 10; i++) spin.OnWoke(s_short, byEvent: true);
        Assert.Equal(IdleSpin.Growth * Base, spin.Ticks);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Long_sleeps_and_those_that_a_timer_ends_shorten_it_down_to_the_base(bool byTimer)
    {
        var spin = new IdleSpin(Base);
        for (int i = 0; i < 10; i++) spin.OnWoke(s_short, byEvent: true);
        spin.OnWoke(byTimer ? s_short : s_long, byEvent: !byTimer);
        Assert.Equal(IdleSpin.Growth * Base / 2, spin.Ticks);
        for (int i = 0; i < 10; i++) spin.OnWoke(byTimer ? s_short : s_long, byEvent: !byTimer);
        Assert.Equal(Base, spin.Ticks);
    }

    [Theory]
    [InlineData(long.MaxValue)] // spin: never sleeps
    [InlineData(-1)] // a clock of a test's: sleeps at once
    public void What_is_fixed_stays(long fixedTicks)
    {
        var spin = new IdleSpin(fixedTicks);
        spin.OnWoke(s_short, byEvent: true);
        spin.OnWoke(s_long, byEvent: true);
        Assert.Equal(fixedTicks, spin.Ticks);
    }
}
