using Microsoft.Extensions.Logging;
using Spindle.Host.Logging;
using Spindle.Host.Notifications;

namespace Spindle.UnitTests.Logging;

public class LoggingTests
{
    static string Logged(LogSettings settings, Action<ILoggerFactory> log)
    {
        var output = new StringWriter();
        using (var provider = new SpindleLoggerProvider(settings, output))
        using (var factory = LoggerFactory.Create(b => b.SetMinimumLevel(LogLevel.Trace).AddProvider(provider)))
        {
            log(factory);
        }
        return output.ToString();
    }

    [Fact]
    public void Levels_choose_what_is_printed()
    {
        var settings = new LogSettings { PrintLevel = SpindleLogLevel.Warning };
        var text = Logged(settings, f =>
        {
            var log = f.CreateLogger("Spindle.Host.Rpc.RpcServer");
            log.LogError("one");
            log.LogWarning("two");
            log.LogInformation("three");
            settings.PrintLevel = SpindleLogLevel.Notice;
            log.LogInformation("four");
        });
        Assert.Contains(" ERROR rpc: one\n", text);
        Assert.Contains(" WARNING rpc: two\n", text);
        Assert.DoesNotContain("three", text);
        Assert.Contains(" NOTICE rpc: four\n", text);
    }

    [Fact]
    public void Details_need_the_components_flag()
    {
        var settings = new LogSettings { PrintLevel = SpindleLogLevel.Debug };
        var text = Logged(settings, f =>
        {
            var log = f.CreateLogger("bdev-malloc.Channel");
            log.LogDebug("one");
            Assert.Equal([("bdev_malloc", false)], settings.Flags);
            Assert.True(settings.SetFlag("bdev_malloc", true));
            log.LogDebug("two");
            log.LogTrace("three");
            Assert.True(settings.SetFlag("all", false));
            log.LogTrace("four");
            Assert.False(settings.SetFlag("nope", true));
        });
        Assert.DoesNotContain("one", text);
        Assert.Contains(" INFO bdev_malloc: two\n", text);
        Assert.Contains(" DEBUG bdev_malloc: three\n", text);
        Assert.DoesNotContain("four", text);
    }

    [Fact]
    public void A_message_cannot_fake_lines_or_steer_the_terminal()
    {
        var text = Logged(new LogSettings(), f => f.CreateLogger("x").LogError("name {Name}", "a\n2026-01-01 ERROR rpc: fake\u001b[2J"));
        Assert.Contains("\n    2026-01-01 ERROR rpc: fake?[2J\n", text);
    }

    [Fact]
    public void A_stuck_output_blocks_nobody_and_lost_lines_are_counted()
    {
        using var output = new StuckWriter();
        using var provider = new SpindleLoggerProvider(new LogSettings(), output);
        var log = provider.CreateLogger("x");
        for (var i = 0; i < 30_000; i++)
        {
            log.LogError("line {Number}", i);
        }
        output.Release.Set();
        provider.Dispose();
        Assert.Contains("messages were dropped", output.Text);
    }

    sealed class StuckWriter : StringWriter
    {
        public ManualResetEventSlim Release { get; } = new();

        public string Text => ToString();

        public override void Write(string? value)
        {
            Release.Wait();
            base.Write(value);
        }
    }

    [Fact]
    public void Notifications_keep_the_latest_and_count_on()
    {
        var ring = new NotificationRing(4);
        ring.RegisterType("b");
        ring.RegisterType("a");
        ring.RegisterType("b");
        Assert.Equal(["a", "b"], ring.Types);
        for (var i = 0; i < 10; i++)
        {
            ring.Notify("b", $"n{i}");
        }
        Assert.Equal([6ul, 7, 8, 9], ring.Get().Select(n => n.Id));
        Assert.Equal(["n8", "n9"], ring.Get(8).Select(n => n.Context));
        Assert.Equal([7ul], ring.Get(7, 1).Select(n => n.Id));
        Assert.Empty(ring.Get(10));
        Assert.Empty(ring.Get(0, 0));
        Assert.Empty(ring.Get(ulong.MaxValue));
    }
}
