using Spindle.Nvme.Commands;
using Spindle.NvmfTests.Fixtures;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Protocol;

/// <summary>Data from the controller, with SUCCESS in place of the response capsule and without (NVMe TCP Transport Specification 1.0, section 3.6.2.9).</summary>
public class C2HSuccessTests(SharedTarget shared) : ProtocolTest(shared)
{
    [Fact]
    public async Task Reads_end_with_the_success_flag_where_the_transport_has_it()
    {
        await using NvmeTcpController controller = await ConnectAsync(new QueueOptions { DisableSqFlowControl = true });
        NamespaceIo ns = new(controller.Io, 1, 512);
        for (int i = 0; i < 10; i++)
        {
            await ns.ReadAsync((ulong)i * 256, 256);
        }
        Assert.Equal(10, controller.Io.SuccessFlagCount);
        // The Connect's alone.
        Assert.Equal(1, controller.Io.CapsuleRespCount);
    }

    [Fact]
    public async Task Failed_reads_never_carry_the_success_flag()
    {
        await using NvmeTcpController controller = await ConnectAsync();
        CompletionQueueEntry cqe = await controller.Io.SubmitAsync(NvmeCommands.Io(NvmOpcode.Read, 1, 131072, 8), dataIn: new byte[4096]);
        Assert.True(cqe.Status.Is(GenericStatusCode.LbaOutOfRange), $"status is {cqe.Status}");
        Assert.Equal(0, controller.Io.SuccessFlagCount);
    }

    [Fact]
    public async Task Reads_end_with_a_response_where_the_option_is_off()
    {
        await using TargetFixture other = await SharedTarget.StartAsync(new TargetOptions { C2hSuccess = false });
        await using NvmeTcpController controller = await NvmeTcpController.ConnectAsync(other.Endpoint, other.Subnqn);
        NamespaceIo ns = new(controller.Io, 1, 512);
        for (int i = 0; i < 10; i++)
        {
            await ns.ReadAsync((ulong)i * 256, 256);
        }
        Assert.Equal(0, controller.Io.SuccessFlagCount);
        Assert.Equal(11, controller.Io.CapsuleRespCount);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(256)]
    public async Task Many_reads_at_once_bring_each_its_own_data(uint blocks)
    {
        await using NvmeTcpController controller = await ConnectAsync();
        NamespaceIo ns = new(controller.Io, 1, 512);
        await Task.WhenAll(Enumerable.Range(0, 64).Select(i => ns.WriteAsync(10_000 + (ulong)i * blocks, Pattern((int)blocks * 512, i))));
        byte[][] all = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => ns.ReadAsync(10_000 + (ulong)i * blocks, blocks)));
        for (int i = 0; i < all.Length; i++)
        {
            Assert.Equal(Pattern((int)blocks * 512, i), all[i]);
        }
    }
}
