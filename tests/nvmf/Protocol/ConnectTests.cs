using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Registers;
using Spindle.Nvme.Tcp;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Connect, properties, enabling, shutdown and Disconnect (NVMe Base Specification 2.0, chapter 6 and section 3.1.3).</summary>
public class ConnectTests(SharedTarget shared) : ProtocolTest(shared)
{
    private const ushort AnyController = NvmeConstants.DynamicControllerId;
    private static readonly Guid Hostid = Guid.NewGuid();
    private static readonly string Hostnqn = Nqn.FromUuid(Hostid);

    /// <summary>A Connect on a fresh connection, changed by the test.</summary>
    private async Task<CompletionQueueEntry> TryConnectAsync(ushort qid = 0, ushort sqsize = 31, ushort cntlid = AnyController, string? subnqn = null, string? hostnqn = null,
        ChangeCommand? command = null, Action<byte[]>? data = null)
    {
        await using NvmeTcpQueue queue = await NvmeTcpQueue.OpenAsync(Target.Endpoint, qid, new QueueOptions { QueueSize = 32 });
        SubmissionQueueEntry sqe = FabricsCommands.Connect(qid, sqsize, 0);
        command?.Invoke(ref sqe);
        byte[] connectData = FabricsCommands.ConnectData(hostnqn ?? Hostnqn, subnqn ?? Target.Subnqn, Hostid, cntlid);
        data?.Invoke(connectData);
        return await queue.SubmitAsync(sqe, connectData, forceInCapsule: true);
    }

    private delegate void ChangeCommand(ref SubmissionQueueEntry sqe);

    private static void AssertInvalidParameter(CompletionQueueEntry cqe, ushort ipo, bool inData)
    {
        Assert.True(cqe.Status.Is(FabricsStatusCode.ConnectInvalidParameters), $"status is {cqe.Status}");
        Assert.Equal(ipo, ConnectResponse.InvalidParameterOffset(cqe.Cdw0));
        Assert.Equal(inData, ConnectResponse.IsInData(cqe.Cdw0));
    }

    [Fact]
    public async Task Each_association_gets_its_own_controller()
    {
        await using NvmeTcpController a = await ConnectAsync();
        await using NvmeTcpController b = await ConnectAsync();
        Assert.NotEqual(a.Cntlid, b.Cntlid);
    }

    [Fact]
    public async Task Unknown_subsystem_is_an_invalid_parameter_in_the_data() =>
        AssertInvalidParameter(await TryConnectAsync(subnqn: "nqn.2026-11.io.spindle:nobody"), ConnectResponse.IpoSubnqn, inData: true);

    [Fact]
    public async Task Subsystem_name_without_nul_is_an_invalid_parameter() =>
        AssertInvalidParameter(await TryConnectAsync(data: d => d.AsSpan(256, 256).Fill((byte)'a')), ConnectResponse.IpoSubnqn, inData: true);

    [Fact]
    public async Task Host_name_without_nul_is_an_invalid_parameter() =>
        AssertInvalidParameter(await TryConnectAsync(data: d => d.AsSpan(512, 256).Fill((byte)'a')), ConnectResponse.IpoHostnqn, inData: true);

    [Fact]
    public async Task Host_that_is_not_allowed_is_refused_and_the_allowed_one_is_not()
    {
        CompletionQueueEntry refused = await TryConnectAsync(subnqn: Target.RestrictedSubnqn);
        Assert.True(refused.Status.Is(FabricsStatusCode.ConnectInvalidHost), $"status is {refused.Status}");
        CompletionQueueEntry allowed = await TryConnectAsync(subnqn: Target.RestrictedSubnqn, hostnqn: Target.AllowedHostnqn);
        Assert.True(allowed.Status.IsSuccess, $"status is {allowed.Status}");
    }

    [Fact]
    public async Task Host_without_a_name_is_let_in_only_where_any_host_is()
    {
        CompletionQueueEntry allowed = await TryConnectAsync(hostnqn: "");
        Assert.True(allowed.Status.IsSuccess, $"status is {allowed.Status}");
        CompletionQueueEntry refused = await TryConnectAsync(subnqn: Target.RestrictedSubnqn, hostnqn: "");
        Assert.True(refused.Status.Is(FabricsStatusCode.ConnectInvalidHost), $"status is {refused.Status}");
    }

    [Fact]
    public async Task Queue_size_of_zero_is_an_invalid_parameter_in_the_command() =>
        AssertInvalidParameter(await TryConnectAsync(sqsize: 0), ConnectResponse.IpoSqsize, inData: false);

    [Fact]
    public async Task Queue_size_beyond_the_limit_is_an_invalid_parameter_in_the_command() =>
        AssertInvalidParameter(await TryConnectAsync(sqsize: ushort.MaxValue), ConnectResponse.IpoSqsize, inData: false);

    [Theory]
    [InlineData(1)]
    [InlineData(ushort.MaxValue)]
    public async Task Unknown_record_format_is_incompatible(ushort recfmt)
    {
        CompletionQueueEntry cqe = await TryConnectAsync(command: (ref SubmissionQueueEntry sqe) => sqe.As<ConnectCommand>().Recfmt = recfmt);
        Assert.True(cqe.Status.Is(FabricsStatusCode.ConnectIncompatibleFormat), $"status is {cqe.Status}");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(NvmeConstants.StaticControllerId)]
    public async Task Admin_queue_asks_for_the_dynamic_controller_only(ushort cntlid) =>
        AssertInvalidParameter(await TryConnectAsync(cntlid: cntlid), ConnectResponse.IpoCntlid, inData: true);

    [Theory]
    [InlineData(0xFFEE)]
    [InlineData(AnyController)]
    public async Task Io_queue_of_a_controller_that_does_not_exist_is_an_invalid_parameter(ushort cntlid) =>
        AssertInvalidParameter(await TryConnectAsync(qid: 1, cntlid: cntlid), ConnectResponse.IpoCntlid, inData: true);

    [Fact]
    public async Task Io_queue_of_another_host_is_refused()
    {
        await using NvmeTcpController controller = await ConnectAsync(new HostOptions { IoQueues = 0 });
        CompletionQueueEntry cqe = await TryConnectAsync(qid: 1, cntlid: controller.Cntlid, hostnqn: "nqn.2026-11.io.spindle:intruder");
        Assert.False(cqe.Status.IsSuccess);
    }

    [Fact]
    public async Task Queue_identifier_in_use_or_out_of_range_is_refused()
    {
        HostOptions host = new() { IoQueues = 1 };
        await using NvmeTcpController controller = await ConnectAsync(host);
        foreach (ushort qid in (ushort[])[1, 0x8000, ushort.MaxValue])
        {
            NvmeStatusException e = await Assert.ThrowsAsync<NvmeStatusException>(() => controller.AddIoQueueAsync(qid));
            Assert.Equal(StatusCodeType.CommandSpecific, e.Status.StatusCodeType == StatusCodeType.Generic && e.Status.Is(GenericStatusCode.CommandSequenceError) ? StatusCodeType.CommandSpecific : e.Status.StatusCodeType);
        }
        // The queue that was there is not harmed.
        await new NamespaceIo(controller.Io, 1, 512).ReadAsync(0, 1);
    }

    [Fact]
    public async Task Commands_before_connect_are_out_of_sequence()
    {
        foreach (SubmissionQueueEntry sqe in (SubmissionQueueEntry[])[
            FabricsCommands.PropertyGet(PropertyOffset.Cap, PropertySize.EightBytes),
            NvmeCommands.Admin(AdminOpcode.KeepAlive),
            NvmeCommands.Flush(1)])
        {
            await using NvmeTcpQueue queue = await NvmeTcpQueue.OpenAsync(Target.Endpoint, 0, new QueueOptions { QueueSize = 32 });
            CompletionQueueEntry cqe = await queue.SubmitAsync(sqe);
            Assert.True(cqe.Status.Is(GenericStatusCode.CommandSequenceError), $"opcode {sqe.Opcode:X2}h: status is {cqe.Status}");
        }
    }

    [Fact]
    public async Task Second_connect_on_a_queue_is_out_of_sequence()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        foreach (NvmeTcpQueue queue in (NvmeTcpQueue[])[controller.Admin, controller.Io])
        {
            CompletionQueueEntry cqe = await queue.ConnectAsync(controller.Options.Hostnqn, Target.Subnqn, controller.Options.Hostid, queue.Qid == 0 ? AnyController : controller.Cntlid, 0);
            Assert.True(cqe.Status.Is(GenericStatusCode.CommandSequenceError), $"queue {queue.Qid}: status is {cqe.Status}");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1023)]
    public async Task Connect_with_too_little_data_is_refused(int length)
    {
        await using NvmeTcpQueue queue = await NvmeTcpQueue.OpenAsync(Target.Endpoint, 0, new QueueOptions { QueueSize = 32 });
        SubmissionQueueEntry sqe = FabricsCommands.Connect(0, 31, 0);
        CompletionQueueEntry cqe = await queue.SubmitAsync(sqe, new byte[length], forceInCapsule: true);
        Assert.False(cqe.Status.IsSuccess);
    }

    [Fact]
    public async Task Io_queue_before_the_controller_is_enabled_is_refused()
    {
        await using NvmeTcpQueue admin = await NvmeTcpQueue.OpenAsync(Target.Endpoint, 0, new QueueOptions { QueueSize = 32 });
        CompletionQueueEntry connected = await admin.ConnectAsync(Hostnqn, Target.Subnqn, Hostid, AnyController, 0);
        Assert.True(connected.Status.IsSuccess);
        CompletionQueueEntry cqe = await TryConnectAsync(qid: 1, cntlid: ConnectResponse.Cntlid(connected.Cdw0));
        Assert.False(cqe.Status.IsSuccess);
    }

    [Fact]
    public async Task Admin_commands_before_the_controller_is_enabled_are_out_of_sequence()
    {
        await using NvmeTcpQueue admin = await NvmeTcpQueue.OpenAsync(Target.Endpoint, 0, new QueueOptions { QueueSize = 32 });
        Assert.True((await admin.ConnectAsync(Hostnqn, Target.Subnqn, Hostid, AnyController, 0)).Status.IsSuccess);
        CompletionQueueEntry cqe = await admin.SubmitAsync(NvmeCommands.Identify(Spindle.Nvme.Identify.IdentifyCns.Controller), dataIn: new byte[4096]);
        Assert.True(cqe.Status.Is(GenericStatusCode.CommandSequenceError), $"status is {cqe.Status}");
    }

    [Fact]
    public async Task Properties_say_what_the_controller_is()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        Assert.True(controller.Cap.Cqr);
        Assert.Equal(0, controller.Cap.Dstrd);
        Assert.Equal(127, controller.Cap.Mqes);
        Assert.Equal(controller.Identify.Ver, (uint)await controller.GetPropertyAsync(PropertyOffset.Vs, PropertySize.FourBytes));
        ControllerConfiguration cc = new((uint)await controller.GetPropertyAsync(PropertyOffset.Cc, PropertySize.FourBytes));
        Assert.True(cc.En);
        Assert.Equal(6, cc.Iosqes);
    }

    [Theory]
    [InlineData(0x0C, PropertySize.FourBytes)]
    [InlineData(0x1001, PropertySize.FourBytes)]
    [InlineData(0xFFFF_FFFC, PropertySize.FourBytes)]
    [InlineData(0x14, PropertySize.EightBytes)]
    [InlineData(0x14, (PropertySize)7)]
    public async Task Property_get_of_what_is_not_there_is_an_invalid_field_or_reads_zero(uint offset, PropertySize size)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(FabricsCommands.PropertyGet((PropertyOffset)offset, size));
        Assert.True(cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand) || cqe.Status.Is(FabricsStatusCode.ConnectInvalidParameters) || (cqe.Status.IsSuccess && cqe.Result == 0),
            $"status is {cqe.Status}, value {cqe.Result:X}h");
    }

    [Theory]
    [InlineData((uint)PropertyOffset.Cap, PropertySize.EightBytes)]
    [InlineData((uint)PropertyOffset.Vs, PropertySize.FourBytes)]
    [InlineData(0x1000, PropertySize.FourBytes)]
    [InlineData(uint.MaxValue, PropertySize.FourBytes)]
    public async Task Property_set_of_what_cannot_be_set_is_refused(uint offset, PropertySize size)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        ulong cap = controller.Cap.Raw;
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(FabricsCommands.PropertySet((PropertyOffset)offset, size, ulong.MaxValue));
        Assert.False(cqe.Status.IsSuccess);
        Assert.Equal(cap, await controller.GetPropertyAsync(PropertyOffset.Cap, PropertySize.EightBytes));
    }

    [Fact]
    public async Task Properties_are_refused_on_an_io_queue()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        CompletionQueueEntry cqe = await controller.Io.SubmitAsync(FabricsCommands.PropertyGet(PropertyOffset.Cap, PropertySize.EightBytes));
        Assert.False(cqe.Status.IsSuccess);
    }

    [Theory]
    [InlineData(0xC1)]
    [InlineData(0x02)]
    [InlineData(0xFF)]
    public async Task Unknown_fabrics_commands_are_refused(byte fctype)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(new SubmissionQueueEntry { Opcode = 0x7F, Fctype = (FabricsCommandType)fctype });
        Assert.True(cqe.Status.Is(GenericStatusCode.InvalidCommandOpcode) || cqe.Status.Is(GenericStatusCode.InvalidFieldInCommand), $"status is {cqe.Status}");
    }

    [Fact]
    public async Task Shutdown_completes_and_ends_io_queues()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        await controller.ShutdownAsync();
        ControllerStatus csts = new((uint)await controller.GetPropertyAsync(PropertyOffset.Csts, PropertySize.FourBytes));
        Assert.Equal(ShutdownStatus.Complete, csts.Shst);
    }

    [Fact]
    public async Task Reset_makes_the_controller_not_ready_and_enabling_brings_it_back()
    {
        await using NvmeTcpController controller = await ConnectAsync(new HostOptions { IoQueues = 0 });
        ControllerConfiguration cc = new((uint)await controller.GetPropertyAsync(PropertyOffset.Cc, PropertySize.FourBytes)) { En = false };
        await controller.SetPropertyAsync(PropertyOffset.Cc, PropertySize.FourBytes, cc.Raw);
        await controller.WaitForStatusAsync(s => !s.Rdy);
        cc.En = true;
        await controller.SetPropertyAsync(PropertyOffset.Cc, PropertySize.FourBytes, cc.Raw);
        await controller.WaitForStatusAsync(s => s.Rdy);
        await controller.AddIoQueueAsync(1);
        await new NamespaceIo(controller.Io, 1, 512).ReadAsync(0, 1);
    }

    [Fact]
    public async Task Disconnect_ends_an_io_queue_whose_identifier_is_free_again()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        Assert.SkipUnless((controller.Identify.Ofcs & Spindle.Nvme.Identify.OptionalFabricsCommands.Disconnect) != 0, "the controller does not support Disconnect (OFCS bit 0)");
        CompletionQueueEntry cqe = await controller.Io.SubmitAsync(FabricsCommands.Disconnect());
        Assert.True(cqe.Status.IsSuccess, $"status is {cqe.Status}");
        await controller.Io.Closed.WaitAsync(TimeSpan.FromSeconds(5));
        await controller.AddIoQueueAsync(1);
        await new NamespaceIo(controller.IoQueues[1], 1, 512).ReadAsync(0, 1);
    }

    [Fact]
    public async Task Disconnect_of_the_admin_queue_is_refused()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        CompletionQueueEntry cqe = await controller.Admin.SubmitAsync(FabricsCommands.Disconnect());
        Assert.False(cqe.Status.IsSuccess);
        await controller.KeepAliveAsync();
    }

    [Fact]
    public async Task End_of_the_admin_queue_ends_the_io_queues()
    {
        await using NvmeTcpController controller = await ConnectAsync(new HostOptions { IoQueues = 3 });
        await controller.Admin.DisposeAsync();
        await Task.WhenAll(controller.IoQueues.Select(q => q.Closed)).WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Many_controllers_live_side_by_side()
    {
        NvmeTcpController[] controllers = await Task.WhenAll(Enumerable.Range(0, 60).Select(_ => ConnectAsync()));
        try
        {
            Assert.Equal(60, controllers.Select(c => c.Cntlid).Distinct().Count());
            await Task.WhenAll(controllers.Select(c => new NamespaceIo(c.Io, 1, 512).ReadAsync(0, 8)));
        }
        finally
        {
            foreach (NvmeTcpController controller in controllers)
            {
                await controller.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task Full_queues_of_the_largest_size_keep_going()
    {
        await using NvmeTcpController controller = await ConnectAsync(new HostOptions { IoQueues = 2, IoQueue = new QueueOptions { QueueSize = 128 } });
        NamespaceIo a = new(controller.IoQueues[0], 1, 512), b = new(controller.IoQueues[1], 1, 512);
        byte[] data = Pattern(4096, 7);
        await Task.WhenAll(Enumerable.Range(0, 600).Select(i => (i % 2 == 0 ? a : b).WriteAsync((ulong)i * 8, data)));
        byte[][] all = await Task.WhenAll(Enumerable.Range(0, 600).Select(i => (i % 2 == 0 ? b : a).ReadAsync((ulong)i * 8, 8)));
        Assert.All(all, read => Assert.Equal(data, read));
    }
}
