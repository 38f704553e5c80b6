using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Rpc;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Identify;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core;

/// <summary>A namespace whose metadata is hidden: hosts see a plain disk.</summary>
public sealed class HiddenMetadataTests
{
    private const uint Block = 512;

    private static async Task<TestBdev> AddAsync(CoreBench bench, bool interleaved)
    {
        TestBdev bdev = new("Dif", blockSize: interleaved ? Block + 8 : Block, metadata: 8, interleaved: interleaved, dif: DifType.Type1);
        await bench.RunAsync(async () =>
        {
            bench.Bdevs.Register(bdev);
            await new NamespaceRpc(bench.Holder).Add(new() { Nqn = CoreBench.Subsystem, Namespace = new() { BdevName = "Dif", HideMetadata = true } });
        });
        return bdev;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task It_is_a_plain_disk_to_hosts(bool interleaved)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await AddAsync(bench, interleaved);
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        IdentifyNamespace identify = await host.IdentifyAsync<IdentifyNamespace>(IdentifyCns.Namespace, 1);
        Assert.Equal((9, 0, 0, 0, 0), (identify.Lbaf[0].Lbads, identify.Lbaf[0].Ms, identify.Flbas, (int)identify.Dpc, identify.Dps));
        Assert.Equal((UInt128)(bdev.BlockCount * Block), identify.Nvmcap);
        byte[] data = new byte[Block * 64];
        new Random(7).NextBytes(data);
        Assert.True((await host.WriteAsync(100, data)).Status.IsSuccess);
        Assert.Equal(data, (await host.ReadAsync(100, 64)).Data);
        if (!interleaved) return;
        for (int i = 0; i < 64; i++)
        {
            ReadOnlySpan<byte> stored = bdev.Data.AsSpan((100 + i) * 520, 520);
            Assert.True(stored[..512].SequenceEqual(data.AsSpan(i * 512, 512)));
            Assert.Equal([0, 0, 0, 0, 0, (byte)(100 + i)], stored[514..].ToArray());
        }
    }

    [Fact]
    public async Task Hosts_are_told_what_does_not_fit()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await AddAsync(bench, interleaved: true);
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        Assert.True((await host.WriteAsync(0, new byte[Block * 8])).Status.IsSuccess);
        bdev.Data[3 * 520 + 7] ^= 1;
        Assert.True((await host.ReadAsync(0, 3)).Status.IsSuccess);
        Assert.True((await host.ReadAsync(0, 8)).Status.Is(MediaStatusCode.EndToEndGuardCheckError));
        bdev.Data[3 * 520 + 7] ^= 1;
        bdev.Data[5 * 520 + 519] ^= 1;
        Assert.True((await host.ReadAsync(0, 5)).Status.IsSuccess);
        Assert.True((await host.ReadAsync(0, 8)).Status.Is(MediaStatusCode.EndToEndReferenceTagCheckError));
    }

    [Fact]
    public async Task A_host_that_sees_metadata_may_have_it_inserted_and_stripped()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("Dif", blockSize: 520, metadata: 8, dif: DifType.Type1));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        byte[] data = new byte[Block * 32];
        new Random(7).NextBytes(data);
        Assert.True((await SendAsync(NvmOpcode.Write, 50, 32, 50, data)).Status.IsSuccess);
        for (int i = 0; i < 32; i++) Assert.Equal([0, 0, 0, 0, 0, (byte)(50 + i)], bdev.Data[((50 + i) * 520 + 514)..((50 + i) * 520 + 520)]);
        var read = await SendAsync(NvmOpcode.Read, 50, 32, 50);
        Assert.True(read.Status.IsSuccess);
        Assert.Equal(data, read.Data);
        bdev.Data[60 * 520 + 7] ^= 1;
        Assert.True((await SendAsync(NvmOpcode.Read, 50, 32, 50)).Status.Is(MediaStatusCode.EndToEndGuardCheckError));
        Assert.True((await host.ReadAsync(50, 32, bytes: 32 * 520)).Status.IsSuccess); // to who sees it all, the bdev is what verifies
        Assert.True((await SendAsync(NvmOpcode.Write, 50, 32, 51, data)).Status.Is(CommandSpecificStatusCode.InvalidProtectionInformation));
        Assert.True((await SendAsync(NvmOpcode.Read, 50, 31, 50)).Status.Is(GenericStatusCode.DataSglLengthInvalid));
        Assert.True((await SendAsync(NvmOpcode.Compare, 50, 32, 50, data)).Status.Is(GenericStatusCode.InvalidFieldInCommand));

        Task<Outcome> SendAsync(NvmOpcode opcode, ulong lba, uint blocks, uint tag, byte[]? written = null)
        {
            SubmissionQueueEntry command = FakeHost.Nvm(opcode, 1, lba, blocks);
            ref NvmIoCommand io = ref command.As<NvmIoCommand>();
            io.Flags = NvmIoFlags.Pract | NvmIoFlags.PrchkGuard | NvmIoFlags.PrchkReferenceTag;
            io.ReferenceTag = tag;
            return written is null ? host.Io[0].SendAsync(command, toHost: (int)(32 * Block)) : host.Io[0].SendAsync(command, written);
        }
    }

    [Fact]
    public async Task The_saved_configuration_hides_it_again()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await AddAsync(bench, interleaved: false);
        List<string> calls = [];
        await bench.RunAsync(() =>
        {
            SavedConfiguration.Write(bench.Holder, new RpcTests.ConfigRecorder(calls));
            return Task.CompletedTask;
        });
        Assert.Contains("\"hide_metadata\":true", Assert.Single(calls, call => call.StartsWith("nvmf_subsystem_add_ns", StringComparison.Ordinal)));
    }
}
