using System.Net;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.NvmfTests.Core.Bench;
using Spindle.NvmfTests.Initiator;

namespace Spindle.NvmfTests.Core;

/// <summary>The target over real sockets, with the strict initiator.</summary>
public class EndToEndTests
{
    [Fact]
    public async Task A_host_writes_and_reads_over_TCP()
    {
        (CoreBench bench, IPEndPoint endPoint) = await CoreBench.StartTcpAsync();
        await using (bench)
        {
            TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
            await using (NvmeTcpController controller = await NvmeTcpController.ConnectAsync(endPoint, CoreBench.Subsystem, new HostOptions { IoQueues = 2 }))
            {
                NamespaceIo io = await NamespaceIo.OpenAsync(controller, 1);
                byte[] data = new byte[65536];
                new Random(7).NextBytes(data);
                await io.WriteAsync(16, data);
                Assert.Equal(data, bdev.Data.AsSpan(16 * 512, data.Length));
                Assert.Equal(data, await io.ReadAsync(16, 128));
            }
        }
    }

    [Fact]
    public async Task A_host_discovers_over_TCP()
    {
        (CoreBench bench, IPEndPoint endPoint) = await CoreBench.StartTcpAsync();
        await using (bench)
        {
            await using NvmeTcpController controller = await NvmeTcpController.ConnectAsync(endPoint, Nqn.Discovery, new HostOptions { IoQueues = 0 });
            var (header, entries) = await controller.GetDiscoveryLogAsync();
            Assert.Equal(2ul, header.Numrec);
            Assert.Equal(2, entries.Count);
        }
    }

    [Fact]
    public async Task Stopping_the_target_ends_connections()
    {
        (CoreBench bench, IPEndPoint endPoint) = await CoreBench.StartTcpAsync();
        NvmeTcpController controller = await NvmeTcpController.ConnectAsync(endPoint, CoreBench.Subsystem, new HostOptions { IoQueues = 2 });
        await bench.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(15));
        await controller.DisposeAsync();
    }
}
