using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Registers;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core;

public class PropertyTests
{
    [Fact]
    public async Task Capabilities_and_version_are_readable_in_both_sizes()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        ControllerCapabilities cap = new((await host.GetPropertyAsync(PropertyOffset.Cap, PropertySize.EightBytes)).Completion.Result);
        Assert.Equal((127, true, true), (cap.Mqes, cap.Cqr, cap.To > 0));
        Assert.Equal(CommandSetsSupported.NvmCommandSet, cap.Css);
        Assert.False((await host.SetPropertyAsync(PropertyOffset.Cc, new ControllerConfiguration { Css = CommandSetSelected.AllSupportedIoCommandSets }.Raw)).Status.IsSuccess);
        Assert.Equal(cap.Raw & uint.MaxValue, (await host.GetPropertyAsync(PropertyOffset.Cap)).Completion.Result);
        Assert.Equal(cap.Raw >> 32, (await host.GetPropertyAsync(PropertyOffset.Cap + 4)).Completion.Result);
        Assert.Equal(0x0002_0000ul, (await host.GetPropertyAsync(PropertyOffset.Vs)).Completion.Result);
    }

    [Theory]
    [InlineData(PropertyOffset.Vs, PropertySize.EightBytes)]
    [InlineData(PropertyOffset.Intms, PropertySize.FourBytes)]
    [InlineData((PropertyOffset)0x2000, PropertySize.FourBytes)]
    [InlineData((PropertyOffset)uint.MaxValue, PropertySize.FourBytes)]
    [InlineData(PropertyOffset.Cap, (PropertySize)5)]
    public async Task Other_properties_are_refused(PropertyOffset offset, PropertySize size)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        Outcome outcome = await host.GetPropertyAsync(offset, size);
        Assert.True(outcome.Status.Is(FabricsStatusCode.ConnectInvalidParameters));
        Assert.True((await host.SetPropertyAsync(offset, 0, size)).Status.Is(FabricsStatusCode.ConnectInvalidParameters));
    }

    [Fact]
    public async Task A_shutdown_ends_the_io_queues_and_completes()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(ioQueues: 2);
        await host.SetConfigurationAsync(new ControllerConfiguration { En = true, Iosqes = 6, Iocqes = 4, Shn = ShutdownNotification.Normal });
        await Task.WhenAll(host.Io.Select(io => io.ClosedTask)).WaitAsync(TimeSpan.FromSeconds(10));
        ControllerStatus status = await host.WaitForStatusAsync(s => s.Shst == ShutdownStatus.Complete);
        Assert.True(status.Rdy);
    }

    [Fact]
    public async Task A_reset_ends_the_io_queues_and_the_controller_may_be_enabled_again()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        bdev.Hold = true;
        Task<Outcome> read = host.ReadAsync(0, 1);
        await ConnectTests.WaitUntil(() => Task.FromResult(bdev.HeldCount == 1));
        await host.SetConfigurationAsync(new ControllerConfiguration { Iosqes = 6, Iocqes = 4 });
        Assert.True((await host.StatusAsync()).Rdy, "not before the outstanding command has ended");
        bdev.Release();
        await read;
        await host.WaitForStatusAsync(s => !s.Rdy);
        Assert.Equal(0ul, (await host.GetPropertyAsync(PropertyOffset.Cc)).Completion.Result);
        Assert.True((await host.AdminAsync(AdminOpcode.KeepAlive)).Status.Is(GenericStatusCode.CommandSequenceError));
        await host.SetConfigurationAsync(new ControllerConfiguration { En = true, Iosqes = 6, Iocqes = 4 });
        host.Io.Clear();
        await host.AddIoQueueAsync(1);
        Assert.True((await host.ReadAsync(0, 1)).Status.IsSuccess);
    }

    [Theory]
    [InlineData(0x0000_0080u)]
    [InlineData(0x0000_0800u)]
    [InlineData(0x0000_0070u)]
    [InlineData(0x0000_C000u)]
    public void Configurations_that_are_not_supported_change_nothing(uint bits)
    {
        ControllerRegisters registers = new(128, zoned: false);
        Assert.Null(registers.Write(bits | 1));
        Assert.Equal(0u, registers.Configuration.Raw);
        Assert.False(registers.IsEnabled);
    }

    /// <summary>Random writes to CC: a model says what EN, RDY and SHST are.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_state_machine_agrees_with_its_model(int seed)
    {
        Random random = new(seed);
        ControllerRegisters registers = new(128, zoned: false);
        bool enabled = false, shuttingDown = false;
        for (int i = 0; i < 5000; i++)
        {
            ControllerConfiguration wanted = new() { En = random.Next(2) == 1, Shn = random.Next(4) == 0 ? ShutdownNotification.Normal : ShutdownNotification.None, Iosqes = 6, Iocqes = 4 };
            ControllerTransition? transition = registers.Write(wanted.Raw);
            Assert.NotNull(transition);
            bool disables = enabled && !wanted.En;
            bool enables = !enabled && wanted.En;
            bool shutsDown = wanted.Shn != ShutdownNotification.None && !shuttingDown;
            ControllerTransition expected = enables ? ControllerTransition.Enable : disables ? ControllerTransition.Reset
                : shutsDown ? ControllerTransition.Shutdown : ControllerTransition.None;
            Assert.True(expected == transition, $"seed {seed}, step {i}: {expected} expected, {transition} came");
            enabled = wanted.En;
            shuttingDown = wanted.Shn != ShutdownNotification.None;
            if (transition == ControllerTransition.Reset)
            {
                registers.OnResetDone();
                shuttingDown = false;
            }
            if (transition == ControllerTransition.Shutdown)
            {
                Assert.Equal(ShutdownStatus.Occurring, registers.Status.Shst);
                registers.OnShutdownDone();
            }
            if (transition == ControllerTransition.Enable) Assert.True(registers.IsEnabled);
            Assert.Equal(enabled, registers.Status.Rdy);
        }
    }

    [Fact]
    public async Task Without_keep_alive_the_association_ends()
    {
        await using CoreBench bench = await CoreBench.StartAsync(options =>
        {
            options.KeepAliveGranularity = 1;
            options.MinKeepAliveTimeout = 300;
        });
        FakeHost silent = await new FakeHost(bench) { Kato = 100 }.ConnectAsync();
        FakeHost alive = await new FakeHost(bench) { Kato = 100 }.ConnectAsync();
        for (int i = 0; i < 15 && !silent.Admin.ClosedTask.IsCompleted; i++)
        {
            await Task.Delay(100);
            Assert.True((await alive.AdminAsync(AdminOpcode.KeepAlive)).Status.IsSuccess);
        }
        await Task.WhenAll(silent.Admin.ClosedTask, silent.Io[0].ClosedTask).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.False(alive.Admin.ClosedTask.IsCompleted);
    }

    [Theory]
    [InlineData(0u, 100, 10000u, 0u)]
    [InlineData(1u, 100, 10000u, 10000u)]
    [InlineData(10001u, 100, 10000u, 20000u)]
    [InlineData(120000u, 100, 10000u, 120000u)]
    [InlineData(15000u, 10, 10000u, 15000u)]
    [InlineData(uint.MaxValue, 100, 10000u, uint.MaxValue)]
    public void Keep_alive_timeouts_are_rounded_up(uint asked, int granularity, uint minimum, uint expected) =>
        Assert.Equal(expected, KeepAlive.Round(asked, (ushort)granularity, minimum));
}
