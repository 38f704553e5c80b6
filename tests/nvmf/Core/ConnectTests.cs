using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Registers;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core;

public class ConnectTests
{
    [Fact]
    public async Task A_host_connects_and_gets_a_controller()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(ioQueues: 2);
        Assert.Equal(1, host.Cntlid);
        Assert.Equal((ushort)1, host.Io[0].Qid);
        Assert.Equal(32u, host.Io[1].QueueSize);
        Assert.NotEqual(host.Io[0].Group, host.Io[1].Group);
    }

    public static TheoryData<string, int, bool> BadParameters => new()
    {
        { "subnqn", ConnectResponse.IpoSubnqn, true },
        { "unterminated subnqn", ConnectResponse.IpoSubnqn, true },
        { "unterminated hostnqn", ConnectResponse.IpoHostnqn, true },
        { "cntlid", ConnectResponse.IpoCntlid, true },
        { "sqsize 0", ConnectResponse.IpoSqsize, false },
        { "sqsize too large", ConnectResponse.IpoSqsize, false },
    };

    [Theory]
    [MemberData(nameof(BadParameters))]
    public async Task Invalid_parameters_are_named(string which, int offset, bool inData)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = new(bench);
        FakeConnection connection = await bench.Transport.AcceptAsync();
        Outcome outcome = await host.SendConnectAsync(connection, 0, (ref ConnectCommand command, ref ConnectData data) =>
        {
            switch (which)
            {
                case "subnqn": Nqn.Write(data.Subnqn, "nqn.2026-11.io.spindle:none"); break;
                case "unterminated subnqn": ((Span<byte>)data.Subnqn).Fill((byte)'a'); break;
                case "unterminated hostnqn": ((Span<byte>)data.Hostnqn).Fill((byte)'a'); break;
                case "cntlid": data.Cntlid = 1; break;
                case "sqsize 0": command.Sqsize = 0; break;
                case "sqsize too large": command.Sqsize = 128; break;
            }
        });
        Assert.True(outcome.Status.Is(FabricsStatusCode.ConnectInvalidParameters), outcome.Status.ToString());
        Assert.Equal(offset, ConnectResponse.InvalidParameterOffset(outcome.Completion.Cdw0));
        Assert.Equal(inData, ConnectResponse.IsInData(outcome.Completion.Cdw0));
        // A refused queue may try again.
        Assert.True((await host.SendConnectAsync(connection, 0)).Status.IsSuccess);
    }

    [Fact]
    public async Task An_unknown_record_format_is_refused()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeConnection connection = await bench.Transport.AcceptAsync();
        Outcome outcome = await new FakeHost(bench).SendConnectAsync(connection, 0, (ref ConnectCommand c, ref ConnectData _) => c.Recfmt = 1);
        Assert.True(outcome.Status.Is(FabricsStatusCode.ConnectIncompatibleFormat));
    }

    [Fact]
    public async Task Data_that_is_too_short_is_refused()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeConnection connection = await bench.Transport.AcceptAsync();
        Outcome outcome = await connection.SendAsync(FakeHost.Fabrics(FabricsCommandType.Connect), new byte[1020]);
        Assert.True(outcome.Status.Is(GenericStatusCode.DataSglLengthInvalid));
    }

    [Fact]
    public async Task Only_allowed_hosts_may_connect()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await bench.RunAsync(() =>
        {
            NvmfSubsystem subsystem = bench.Target.FindSubsystem(CoreBench.Subsystem)!;
            subsystem.AllowAnyHost = false;
            subsystem.AddHost("nqn.2026-11.io.spindle:friend");
            return Task.CompletedTask;
        });
        FakeConnection connection = await bench.Transport.AcceptAsync();
        Assert.True((await new FakeHost(bench).SendConnectAsync(connection, 0)).Status.Is(FabricsStatusCode.ConnectInvalidHost));
        Assert.True((await new FakeHost(bench) { HostNqn = "nqn.2026-11.io.spindle:friend" }.SendConnectAsync(connection, 0)).Status.IsSuccess);
    }

    [Fact]
    public async Task A_subsystem_is_reached_at_its_listeners_only()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeConnection connection = await bench.Transport.AcceptAsync(FakeTransport.Address with { ServiceId = "4421" });
        Assert.True((await new FakeHost(bench).SendConnectAsync(connection, 0)).Status.Is(FabricsStatusCode.ConnectInvalidHost));
    }

    [Fact]
    public async Task Controller_ids_come_from_the_range_and_run_out()
    {
        await using CoreBench bench = await CoreBench.StartAsync(subsystem: new SubsystemOptions { MinControllerId = 7, MaxControllerId = 8 });
        FakeHost first = await new FakeHost(bench).ConnectAsync(0);
        FakeHost second = await new FakeHost(bench).ConnectAsync(0);
        Assert.Equal((7, 8), (first.Cntlid, second.Cntlid));
        FakeConnection third = await bench.Transport.AcceptAsync();
        Assert.True((await new FakeHost(bench).SendConnectAsync(third, 0)).Status.Is(FabricsStatusCode.ConnectControllerBusy));
        await first.Admin.CloseAsync();
        await WaitUntil(async () => (await new FakeHost(bench).SendConnectAsync(third, 0)).Status.IsSuccess);
    }

    [Fact]
    public async Task An_io_queue_belongs_to_a_controller_of_its_host()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        FakeConnection connection = await bench.Transport.AcceptAsync();
        await Refused(host, connection, 1, ConnectResponse.IpoCntlid, true, (ref ConnectCommand _, ref ConnectData d) => d.Cntlid = 99);
        await Refused(host, connection, 1, ConnectResponse.IpoHostnqn, true, (ref ConnectCommand _, ref ConnectData d) => Nqn.Write(d.Hostnqn, "nqn.2026-11.io.spindle:other"));
        await Refused(host, connection, 1, ConnectResponse.IpoHostid, true, (ref ConnectCommand _, ref ConnectData d) => d.Hostid[3] ^= 1);
        Assert.True((await host.SendConnectAsync(connection, 200)).Status.Is(CommandSpecificStatusCode.InvalidQueueIdentifier));
        Assert.True((await host.SendConnectAsync(connection, 1)).Status.IsSuccess);
        FakeConnection twin = await bench.Transport.AcceptAsync();
        Assert.True((await host.SendConnectAsync(twin, 1)).Status.Is(CommandSpecificStatusCode.InvalidQueueIdentifier));
    }

    [Fact]
    public async Task Io_queues_need_an_enabled_controller()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = new(bench);
        FakeConnection admin = await bench.Transport.AcceptAsync();
        Outcome connected = await host.SendConnectAsync(admin, 0);
        host.Cntlid = ConnectResponse.Cntlid(connected.Completion.Cdw0);
        FakeConnection io = await bench.Transport.AcceptAsync();
        await Refused(host, io, 1, ConnectResponse.IpoQid, false, null);
    }

    [Fact]
    public async Task Before_connect_nothing_else_is_answered_and_a_second_connect_is_out_of_sequence()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeConnection connection = await bench.Transport.AcceptAsync();
        Assert.True((await connection.SendAsync(new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.Identify }, toHost: 4096)).Status.Is(GenericStatusCode.CommandSequenceError));
        Assert.True((await connection.SendAsync(FakeHost.Fabrics(FabricsCommandType.PropertyGet))).Status.Is(GenericStatusCode.CommandSequenceError));
        FakeHost host = new(bench);
        Assert.True((await host.SendConnectAsync(connection, 0)).Status.IsSuccess);
        Assert.True((await host.SendConnectAsync(connection, 0)).Status.Is(GenericStatusCode.CommandSequenceError));
    }

    [Fact]
    public async Task Disconnect_ends_an_io_queue_and_not_the_admin_queue()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        Assert.True((await host.Admin.SendAsync(FakeHost.Fabrics(FabricsCommandType.Disconnect))).Status.Is(FabricsStatusCode.InvalidQueueType));
        Assert.True((await host.Io[0].SendAsync(FakeHost.Fabrics(FabricsCommandType.Disconnect))).Status.IsSuccess);
        await host.Io[0].ClosedTask.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True((await host.StatusAsync()).Rdy);
        await WaitUntil(async () => (await host.SendConnectAsync(await bench.Transport.AcceptAsync(), 1)).Status.IsSuccess);
    }

    [Fact]
    public async Task The_end_of_the_admin_queue_ends_the_io_queues()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(ioQueues: 2);
        await host.Admin.CloseAsync();
        await Task.WhenAll(host.Io.Select(io => io.ClosedTask)).WaitAsync(TimeSpan.FromSeconds(10));
        await WaitUntil(() => bench.RunAsync(() => Task.FromResult(bench.Target.FindSubsystem(CoreBench.Subsystem)!.Controllers.Count == 0)));
    }

    [Fact]
    public async Task SQHD_wraps_at_the_size_of_the_queue_and_is_absent_without_flow_control()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost host = await new FakeHost(bench).ConnectAsync(0);
        int last = -1;
        for (int i = 0; i < 40; i++)
        {
            int sqhd = (await host.GetPropertyAsync(PropertyOffset.Vs)).Completion.Sqhd;
            if (last >= 0) Assert.Equal((last + 1) % 32, sqhd);
            last = sqhd;
        }
        FakeConnection io = await bench.Transport.AcceptAsync();
        Outcome connected = await host.SendConnectAsync(io, 1, (ref ConnectCommand c, ref ConnectData _) => c.Cattr = ConnectAttributes.DisableSqFlowControl);
        Assert.Equal(ushort.MaxValue, connected.Completion.Sqhd);
    }

    [Fact]
    public async Task Hundreds_of_controllers_come_and_go()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        FakeHost[] hosts = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => new FakeHost(bench).ConnectAsync()));
        Assert.Equal(200, hosts.Select(h => h.Cntlid).Distinct().Count());
        await Task.WhenAll(hosts.Select(h => h.Admin.CloseAsync()));
        await Task.WhenAll(hosts.Select(h => h.Io[0].ClosedTask)).WaitAsync(TimeSpan.FromSeconds(10));
        await WaitUntil(() => bench.RunAsync(() => Task.FromResult(bench.Target.FindSubsystem(CoreBench.Subsystem)!.Controllers.Count == 0)));
    }

    private static async Task Refused(FakeHost host, FakeConnection connection, ushort qid, int offset, bool inData, FakeHost.ConnectEdit? edit)
    {
        Outcome outcome = await host.SendConnectAsync(connection, qid, edit);
        Assert.True(outcome.Status.Is(FabricsStatusCode.ConnectInvalidParameters), outcome.Status.ToString());
        Assert.Equal((offset, inData), (ConnectResponse.InvalidParameterOffset(outcome.Completion.Cdw0), ConnectResponse.IsInData(outcome.Completion.Cdw0)));
    }

    internal static async Task WaitUntil(Func<Task<bool>> condition)
    {
        for (int i = 0; i < 500; i++)
        {
            if (await condition()) return;
            await Task.Delay(10);
        }
        Assert.Fail("It did not come to pass within 5 s.");
    }
}
