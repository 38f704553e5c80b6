using System.Runtime.InteropServices;
using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Features;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core;

public class IoCommandTests
{
    [Fact]
    public async Task Reads_return_what_was_written_and_only_there()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        byte[] data = Bytes(4096);
        host.Io[0].BufferSize = 1536;
        Assert.True((await host.WriteAsync(8, data)).Status.IsSuccess);
        Assert.Equal(data, (await host.ReadAsync(8, 8)).Data);
        Assert.Equal(data, bdev.Data[4096..8192]);
        Assert.DoesNotContain(bdev.Data[..4096], b => b != 0);
        Assert.DoesNotContain(bdev.Data[8192..], b => b != 0);
    }

    [Fact]
    public async Task A_plain_write_is_taken_at_once_where_the_bdev_does_that()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0") { TakesAtOnce = true });
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        host.Io[0].AsksAtOnce = true;
        byte[] data = Bytes(4096);
        Outcome first = await host.WriteAsync(8, data), second = await host.WriteAsync(1023, data[..512]);
        Assert.True(first.Status.IsSuccess && second.Status.IsSuccess);
        Assert.Equal(first.Completion.Sqhd + 1, second.Completion.Sqhd);
        Assert.Equal(data, bdev.Data[4096..8192]);
        Assert.Equal(data[..512], bdev.Data[(1023 * 512)..]);
        Assert.Empty(bdev.Seen);
    }

    [Fact]
    public async Task What_is_not_a_plain_write_is_not_taken_at_once()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0", writeCache: true) { TakesAtOnce = true });
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        host.Io[0].AsksAtOnce = true;
        byte[] data = Bytes(1024);
        Assert.True((await host.WriteAsync(1023, data)).Status.Is(GenericStatusCode.LbaOutOfRange));
        Assert.True((await host.WriteAsync(ulong.MaxValue, data)).Status.Is(GenericStatusCode.LbaOutOfRange));
        Assert.True((await host.WriteAsync(0, data, nsid: 2)).Status.Is(GenericStatusCode.InvalidNamespaceOrFormat));
        Assert.True((await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.Write, 1, 0, 3), data)).Status.Is(GenericStatusCode.DataSglLengthInvalid));
        Assert.DoesNotContain(bdev.Data, b => b != 0);
        Assert.Empty(bdev.Seen);
        Assert.True((await host.WriteAsync(4, data, flags: NvmIoFlags.ForceUnitAccess)).Status.IsSuccess);
        Assert.Equal([(BdevIoType.Write, 4ul, 2ul), (BdevIoType.Flush, 4ul, 2ul)], bdev.Seen);
        Assert.True((await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.Compare, 1, 4, 2), data)).Status.IsSuccess);
        Assert.True((await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.Compare, 1, 6, 2), data)).Status.Is(MediaStatusCode.CompareFailure));
    }

    [Theory]
    [InlineData(1024ul, 1u)]
    [InlineData(1023ul, 2u)]
    [InlineData(ulong.MaxValue, 1u)]
    [InlineData(ulong.MaxValue - 1, 8u)]
    public async Task Blocks_past_the_end_are_out_of_range(ulong lba, uint blocks)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        Assert.True((await host.ReadAsync(lba, blocks)).Status.Is(GenericStatusCode.LbaOutOfRange));
        Assert.True((await host.WriteAsync(lba, new byte[blocks * 512])).Status.Is(GenericStatusCode.LbaOutOfRange));
        Assert.True((await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.WriteZeroes, 1, lba, blocks))).Status.Is(GenericStatusCode.LbaOutOfRange));
        Assert.True((await DeallocateAsync(host, (lba, blocks))).Status.Is(GenericStatusCode.LbaOutOfRange));
        Assert.Empty(bdev.Seen);
    }

    [Theory]
    [InlineData(512)]
    [InlineData(1023)]
    [InlineData(1536)]
    [InlineData(0)]
    public async Task Data_of_another_length_than_the_blocks_is_refused(int length)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        Assert.True((await host.ReadAsync(0, 2, bytes: length)).Status.Is(GenericStatusCode.DataSglLengthInvalid));
        Assert.True((await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.Write, 1, 0, 2), new byte[length])).Status.Is(GenericStatusCode.DataSglLengthInvalid));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(2u)]
    [InlineData(33u)]
    [InlineData(uint.MaxValue)]
    public async Task Other_namespaces_are_invalid(uint nsid)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        StatusField status = (await host.ReadAsync(0, 1, nsid)).Status;
        Assert.True(status.Is(GenericStatusCode.InvalidNamespaceOrFormat) && status.DoNotRetry);
        Assert.True((await host.Io[0].SendAsync(new SubmissionQueueEntry { Opcode = (byte)NvmOpcode.Flush, Nsid = nsid })).Status.Is(GenericStatusCode.InvalidNamespaceOrFormat));
    }

    [Theory]
    [InlineData(NvmOpcode.ReservationRegister)]
    [InlineData(NvmOpcode.ReservationReport)]
    [InlineData(NvmOpcode.ReservationAcquire)]
    [InlineData(NvmOpcode.ReservationRelease)]
    [InlineData(NvmOpcode.WriteUncorrectable)]
    [InlineData(NvmOpcode.Verify)]
    [InlineData(NvmOpcode.Copy)]
    [InlineData((NvmOpcode)0xC1)]
    public async Task Commands_that_are_not_announced_are_invalid_opcodes(NvmOpcode opcode)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        StatusField status = (await host.Io[0].SendAsync(new SubmissionQueueEntry { Opcode = (byte)opcode, Nsid = 1 })).Status;
        Assert.True(status.Is(GenericStatusCode.InvalidCommandOpcode) && status.DoNotRetry);
    }

    [Fact]
    public async Task Compare_tells_equal_from_different()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        byte[] data = Bytes(1024);
        await host.WriteAsync(2, data);
        Assert.True((await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.Compare, 1, 2, 2), data)).Status.IsSuccess);
        data[1000] ^= 1;
        Assert.True((await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.Compare, 1, 2, 2), data)).Status.Is(MediaStatusCode.CompareFailure));
    }

    [Fact]
    public async Task Write_zeroes_and_deallocation()
    {
        await using CoreBench bench = await CoreBench.StartAsync(subsystem: new SubsystemOptions { MaxWriteZeroesSizeKib = 4, MaxDiscardSizeKib = 4 });
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        bdev.Data.AsSpan().Fill(0xEE);
        Assert.True((await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.WriteZeroes, 1, 4, 8))).Status.IsSuccess);
        Assert.DoesNotContain(bdev.Data[2048..6144], b => b != 0);
        Assert.Equal(0xEE, bdev.Data[6144]);
        Assert.True((await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.WriteZeroes, 1, 4, 9))).Status.Is(GenericStatusCode.InvalidFieldInCommand));
        Assert.True((await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.WriteZeroes, 1, 4, 1, NvmIoFlags.Deallocate))).Status.Is(GenericStatusCode.InvalidFieldInCommand));
        bdev.Seen.Clear();
        Assert.True((await DeallocateAsync(host, (100, 8), (0, 0), (200, 1))).Status.IsSuccess);
        Assert.Equal([(BdevIoType.Unmap, 100ul, 8ul), (BdevIoType.Unmap, 200ul, 1ul)], bdev.Seen);
        Assert.True((await DeallocateAsync(host, (0, 1), (100, 9))).Status.Is(GenericStatusCode.InvalidFieldInCommand));
        Assert.Equal(2, bdev.Seen.Count);
    }

    [Fact]
    public async Task Dataset_management_checks_its_ranges_and_keeps_the_first_error()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0", blocks: 4096));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        host.Io[0].BufferSize = 100;
        (ulong, uint)[] ranges = [.. Enumerable.Range(0, 256).Select(i => ((ulong)i * 16, 3u))];
        Assert.True((await DeallocateAsync(host, ranges)).Status.IsSuccess);
        Assert.Equal(256, bdev.Seen.Count);
        SubmissionQueueEntry command = new() { Opcode = (byte)NvmOpcode.DatasetManagement, Nsid = 1 };
        command.As<DatasetManagementCommand>().Nr = 1;
        command.As<DatasetManagementCommand>().Attributes = DatasetManagementAttributes.Deallocate;
        Assert.True((await host.Io[0].SendAsync(command, new byte[31])).Status.Is(GenericStatusCode.DataSglLengthInvalid));
        int count = 0;
        bdev.Answer = type => ++count == 2 ? BdevIoResult.FromNvme(2, 0x80) : null;
        Assert.True((await DeallocateAsync(host, (0, 1), (1, 1), (2, 1))).Status.Is(MediaStatusCode.WriteFault));
    }

    [Fact]
    public async Task Hints_without_deallocation_do_nothing()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        SubmissionQueueEntry command = new() { Opcode = (byte)NvmOpcode.DatasetManagement, Nsid = 1 };
        command.As<DatasetManagementCommand>().Attributes = DatasetManagementAttributes.IntegralDatasetForRead;
        Assert.True((await host.Io[0].SendAsync(command, new byte[16])).Status.IsSuccess);
        Assert.Empty(bdev.Seen);
    }

    [Fact]
    public async Task A_forced_write_is_flushed_before_it_ends()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0", writeCache: true));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        Assert.True((await host.WriteAsync(3, new byte[512])).Status.IsSuccess);
        Assert.Equal([(BdevIoType.Write, 3ul, 1ul)], bdev.Seen);
        Assert.True((await host.WriteAsync(4, new byte[512], flags: NvmIoFlags.ForceUnitAccess)).Status.IsSuccess);
        Assert.Equal([(BdevIoType.Write, 4ul, 1ul), (BdevIoType.Flush, 4ul, 1ul)], bdev.Seen[1..]);
        Assert.True((await host.SetFeatureAsync(FeatureIdentifier.VolatileWriteCache, 0)).Status.IsSuccess);
        Assert.True((await host.WriteAsync(5, new byte[512])).Status.IsSuccess);
        Assert.Equal((BdevIoType.Flush, 5ul, 1ul), bdev.Seen[^1]);
        bdev.Answer = type => type == BdevIoType.Flush ? BdevIoResult.FromErrno(Errno.EIO) : null;
        Assert.True((await host.WriteAsync(5, new byte[512])).Status.Is(GenericStatusCode.InternalError));
    }

    [Fact]
    public async Task A_flush_reaches_bdevs_that_can_and_succeeds_on_others()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev can = await bench.AddNamespaceAsync(new TestBdev("Can"));
        TestBdev cannot = await bench.AddNamespaceAsync(new TestBdev("Cannot", types: [BdevIoType.Read, BdevIoType.Write]));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        Assert.True((await host.Io[0].SendAsync(new SubmissionQueueEntry { Opcode = (byte)NvmOpcode.Flush, Nsid = 1 })).Status.IsSuccess);
        Assert.True((await host.Io[0].SendAsync(new SubmissionQueueEntry { Opcode = (byte)NvmOpcode.Flush, Nsid = 2 })).Status.IsSuccess);
        Assert.Equal((1, 0), (can.Seen.Count, cannot.Seen.Count));
    }

    public static TheoryData<string, StatusField> Outcomes => new()
    {
        { "nvme", new StatusField(MediaStatusCode.UnrecoveredReadError, dnr: true) },
        { "failed", new StatusField(GenericStatusCode.InternalError) },
        { "aborted", new StatusField(GenericStatusCode.CommandAbortRequested) },
        { "miscompare", new StatusField(MediaStatusCode.CompareFailure) },
        { "gone", new StatusField(GenericStatusCode.NamespaceNotReady) },
        { "scsi", new StatusField(GenericStatusCode.InternalError) },
    };

    [Theory]
    [MemberData(nameof(Outcomes))]
    public async Task A_bdevs_outcome_becomes_a_status(string which, StatusField expected)
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        bdev.Answer = _ => which switch
        {
            "nvme" => BdevIoResult.FromNvme(2, 0x81, cdw0: 77, doNotRetry: true),
            "failed" => BdevIoResult.Of(BdevIoStatus.Failed),
            "aborted" => BdevIoResult.Of(BdevIoStatus.Aborted),
            "miscompare" => BdevIoResult.Of(BdevIoStatus.Miscompare),
            "gone" => BdevIoResult.FromErrno(Errno.ENODEV),
            _ => BdevIoResult.FromScsi(2, 3, 0x11, 0),
        };
        Outcome outcome = await host.ReadAsync(0, 1);
        Assert.Equal(expected, outcome.Status);
        Assert.Equal(which == "nvme" ? 77u : 0u, outcome.Completion.Cdw0);
    }

    [Fact]
    public async Task Commands_wait_when_the_bdev_layer_has_no_free_I_O()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        bench.Registry.Options = new Spindle.Host.Bdevs.BdevOptions { IoPoolSize = 4, IoCacheSize = 2 };
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        bdev.Hold = true;
        Task<Outcome>[] commands = [.. Enumerable.Range(0, 16).Select(i => i % 4 == 3 ? DeallocateAsync(host, (0, 1), (1, 1), (2, 1)) : host.ReadAsync((ulong)i, 1))];
        await ConnectTests.WaitUntil(() => Task.FromResult(host.Io[0].Group.Statistics.PendingBdevIo > 0));
        bdev.Release();
        foreach (Outcome outcome in await Task.WhenAll(commands)) Assert.True(outcome.Status.IsSuccess, outcome.Status.ToString());
    }

    private static Task<Outcome> DeallocateAsync(FakeHost host, params (ulong Lba, uint Blocks)[] ranges)
    {
        SubmissionQueueEntry command = new() { Opcode = (byte)NvmOpcode.DatasetManagement, Nsid = 1 };
        command.As<DatasetManagementCommand>().Nr = (byte)(ranges.Length - 1);
        command.As<DatasetManagementCommand>().Attributes = DatasetManagementAttributes.Deallocate;
        DatasetManagementRange[] data = [.. ranges.Select(r => new DatasetManagementRange { StartingLba = r.Lba, LengthInLogicalBlocks = r.Blocks })];
        return host.Io[0].SendAsync(command, MemoryMarshal.AsBytes<DatasetManagementRange>(data).ToArray());
    }

    internal static byte[] Bytes(int length, int seed = 1)
    {
        byte[] data = new byte[length];
        new Random(seed).NextBytes(data);
        return data;
    }
}
