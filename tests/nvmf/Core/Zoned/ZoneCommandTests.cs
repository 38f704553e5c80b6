using Spindle.Bdevs;
using Spindle.ContractTests.Broken;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Zoned;
using Spindle.NvmfTests.Core.Bench;

namespace Spindle.NvmfTests.Core.Zoned;

/// <summary>I/O to a zoned namespace: writes and appends, actions on zones, reports.</summary>
public class ZoneCommandTests
{
    private const ulong Size = BrokenZonedDisk.Size;
    private const ulong Capacity = BrokenZonedDisk.Capacity;

    private static async Task<(CoreBench Bench, FakeHost Host)> StartAsync<T>(T bdev) where T : Bdev
    {
        CoreBench bench = await CoreBench.StartAsync();
        await bench.AddNamespaceAsync(bdev);
        return (bench, await ZonedHost.ConnectAsync(bench));
    }

    private static void Succeeded(Outcome outcome) => Assert.True(outcome.Status.IsSuccess, outcome.Status.ToString());

    private static void Refused(Outcome outcome, CommandSpecificStatusCode code) => Assert.True(outcome.Status.Is(code) && outcome.Status.DoNotRetry, $"{outcome.Status}, not {code}");

    private static void Refused(Outcome outcome, GenericStatusCode code) => Assert.True(outcome.Status.Is(code) && outcome.Status.DoNotRetry, $"{outcome.Status}, not {code}");

    private static byte[] Bytes(int blocks)
    {
        byte[] bytes = new byte[blocks * 512];
        new Random(blocks).NextBytes(bytes);
        return bytes;
    }

    [Fact]
    public async Task Writes_are_at_the_write_pointer_or_end_with_the_status_that_says_why_not()
    {
        var (bench, host) = await StartAsync(new BrokenZonedDisk("Z0", ZoneDefect.None));
        await using var _ = bench;
        byte[] data = Bytes(8);
        Succeeded(await host.WriteAsync(Size, data));
        Assert.Equal(data, (await host.ReadAsync(Size, 8)).Data);
        Refused(await host.WriteAsync(Size, data), CommandSpecificStatusCode.ZoneInvalidWrite);
        Refused(await host.WriteAsync(Size + 9, data), CommandSpecificStatusCode.ZoneInvalidWrite);
        Refused(await host.WriteAsync(Size + 8, Bytes((int)Capacity)), CommandSpecificStatusCode.ZonedBoundaryError);
        Refused(await host.WriteAsync(Size + 8, Bytes((int)Size)), CommandSpecificStatusCode.ZonedBoundaryError);
        Refused(await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.WriteZeroes, 1, (2 * Size) - 1, 2)), CommandSpecificStatusCode.ZonedBoundaryError);
        Succeeded(await host.Io[0].SendAsync(FakeHost.Nvm(NvmOpcode.WriteZeroes, 1, Size + 8, (uint)Capacity - 8)));
        Refused(await host.WriteAsync(Size, data), CommandSpecificStatusCode.ZoneIsFull);
        // A read may cross zones; blocks behind the last zone are none.
        byte[] across = (await host.ReadAsync(Size, (uint)Size + 1)).Data, expected = [.. data, .. new byte[(int)(Size - 7) * 512]];
        Assert.Equal(expected, across);
        Refused(await host.ReadAsync(16 * Size, 1), GenericStatusCode.LbaOutOfRange);
    }

    [Fact]
    public async Task An_append_says_where_it_wrote()
    {
        var (bench, host) = await StartAsync(new BrokenZonedDisk("Z0", ZoneDefect.None));
        await using var _ = bench;
        byte[] first = Bytes(5), second = Bytes(16);
        foreach (var (data, at) in new[] { (first, 3 * Size), (second, (3 * Size) + 5) })
        {
            Outcome outcome = await host.AppendAsync(3 * Size, data);
            Succeeded(outcome);
            Assert.Equal(at, outcome.Completion.Result);
            Assert.Equal(data, (await host.ReadAsync(at, (uint)data.Length / 512)).Data);
        }
        Refused(await host.AppendAsync((3 * Size) + 1, first), GenericStatusCode.InvalidFieldInCommand);
        Refused(await host.AppendAsync(3 * Size, Bytes(17)), GenericStatusCode.InvalidFieldInCommand);
        Refused(await host.AppendAsync(16 * Size, first), GenericStatusCode.LbaOutOfRange);
        Refused(await host.Io[0].SendAsync(FakeHost.Nvm((NvmOpcode)ZonedOpcode.ZoneAppend, 1, 3 * Size, 2), new byte[512]), GenericStatusCode.DataSglLengthInvalid);
        Succeeded(await host.AppendAsync(3 * Size, second));
        Refused(await host.AppendAsync(3 * Size, Bytes(12)), CommandSpecificStatusCode.ZonedBoundaryError);
        Succeeded(await host.SendAsync(ZoneSendAction.Finish, 3 * Size));
        Refused(await host.AppendAsync(3 * Size, first), CommandSpecificStatusCode.ZoneIsFull);
    }

    [Fact]
    public async Task An_append_that_must_be_durable_is_flushed_where_it_wrote()
    {
        ManyZones bdev = new("Z0", 4, writeCache: true);
        var (bench, host) = await StartAsync(bdev);
        await using var _ = bench;
        Outcome outcome = await host.AppendAsync(ManyZones.Size, Bytes(2), flags: NvmIoFlags.ForceUnitAccess);
        Succeeded(outcome);
        Assert.Equal(ManyZones.Size + 3, outcome.Completion.Result);
        Assert.Equal([(ManyZones.Size + 3, 2ul)], bdev.Flushed);
        Succeeded(await host.AppendAsync(ManyZones.Size, Bytes(2)));
        Assert.Single(bdev.Flushed);
    }

    [Theory]
    [InlineData(false, DifType.None)]
    [InlineData(true, DifType.Type1)]
    public async Task Where_an_append_is_not_possible_its_opcode_is_none(bool appends, DifType dif)
    {
        ManyZones bdev = new("Z0", 4, appends, dif);
        var (bench, host) = await StartAsync(bdev);
        await using var _ = bench;
        Refused(await host.AppendAsync(0, new byte[bdev.BlockSize], blockSize: (int)bdev.BlockSize), GenericStatusCode.InvalidCommandOpcode);
    }

    [Fact]
    public async Task Actions_change_a_zone_or_are_refused()
    {
        var (bench, host) = await StartAsync(new BrokenZonedDisk("Z0", ZoneDefect.None));
        await using var _ = bench;
        async Task<ZoneDescriptorState> StateAsync() => (await host.ReportAsync(Size, 1)).Zones[0].State;
        Refused(await host.SendAsync(ZoneSendAction.Close, Size), CommandSpecificStatusCode.InvalidZoneStateTransition);
        Succeeded(await host.SendAsync(ZoneSendAction.Open, Size));
        Assert.Equal(ZoneDescriptorState.ExplicitlyOpened, await StateAsync());
        Succeeded(await host.WriteAsync(Size, Bytes(1)));
        Succeeded(await host.SendAsync(ZoneSendAction.Close, Size));
        Assert.Equal(ZoneDescriptorState.Closed, await StateAsync());
        Succeeded(await host.WriteAsync(Size + 1, Bytes(1)));
        Assert.Equal(ZoneDescriptorState.ImplicitlyOpened, await StateAsync());
        Succeeded(await host.SendAsync(ZoneSendAction.Finish, Size));
        Assert.Equal(ZoneDescriptorState.Full, await StateAsync());
        Refused(await host.SendAsync(ZoneSendAction.Offline, Size), CommandSpecificStatusCode.InvalidZoneStateTransition);
        Succeeded(await host.SendAsync(ZoneSendAction.Reset, Size));
        Assert.Equal(ZoneDescriptorState.Empty, await StateAsync());
        for (ulong zone = 0; zone < 8; zone++) Succeeded(await host.SendAsync(ZoneSendAction.Open, zone * Size));
        Refused(await host.SendAsync(ZoneSendAction.Open, 8 * Size), CommandSpecificStatusCode.TooManyOpenZones);

        Refused(await host.SendAsync(ZoneSendAction.Reset, Size + 1), GenericStatusCode.InvalidFieldInCommand);
        Refused(await host.SendAsync(ZoneSendAction.Reset, 16 * Size), GenericStatusCode.LbaOutOfRange);
        Refused(await host.SendAsync(ZoneSendAction.Reset, ulong.MaxValue), GenericStatusCode.LbaOutOfRange);
        foreach (byte action in new byte[] { 0, 6, 0x10, 0x11, 0xFF }) Refused(await host.SendAsync((ZoneSendAction)action, Size), GenericStatusCode.InvalidFieldInCommand);
        Refused(await host.SendAsync(ZoneSendAction.Reset, Size, options: 2), GenericStatusCode.InvalidFieldInCommand);
        Refused(await host.Io[0].SendAsync(new SubmissionQueueEntry { Opcode = 0x7C, Nsid = 1 }), GenericStatusCode.InvalidCommandOpcode);
    }

    [Theory]
    [InlineData(ZoneSendAction.Close, new[] { BdevZoneState.ImplicitlyOpen, BdevZoneState.ExplicitlyOpen })]
    [InlineData(ZoneSendAction.Finish, new[] { BdevZoneState.ImplicitlyOpen, BdevZoneState.ExplicitlyOpen, BdevZoneState.Closed })]
    [InlineData(ZoneSendAction.Open, new[] { BdevZoneState.Closed })]
    [InlineData(ZoneSendAction.Reset, new[] { BdevZoneState.ImplicitlyOpen, BdevZoneState.ExplicitlyOpen, BdevZoneState.Closed, BdevZoneState.Full })]
    [InlineData(ZoneSendAction.Offline, new[] { BdevZoneState.ReadOnly })]
    public async Task Select_all_is_for_each_zone_that_the_action_applies_to(ZoneSendAction action, BdevZoneState[] states)
    {
        ManyZones bdev = new("Z0", 200);
        for (int i = 0; i < 200; i++) bdev.Zones[i].State = (BdevZoneState)(i % 8);
        // One that meanwhile left the state, and so does not count.
        bdev.Answer = io => io.Type == BdevIoType.ZoneManagement && io.OffsetBlocks / ManyZones.Size is >= 72 and < 80 ? BdevZoneErrors.InvalidTransition : null;
        var (bench, host) = await StartAsync(bdev);
        await using var _ = bench;
        // The zone that is named means nothing.
        Succeeded(await host.SendAsync(action, 3, all: true));
        Assert.Equal(Enumerable.Range(0, 200).Where(i => states.Contains((BdevZoneState)(i % 8)) && i is < 72 or >= 80).Select(i => ((BdevZoneAction)action, i)), bdev.Managed);
        bdev.Answer = io => io.Type == BdevIoType.ZoneManagement ? BdevZoneErrors.TooManyOpen : null;
        Refused(await host.SendAsync(action, 0, all: true), CommandSpecificStatusCode.TooManyOpenZones);
    }

    [Fact]
    public async Task A_report_has_the_zones_from_a_block_on()
    {
        var (bench, host) = await StartAsync(new BrokenZonedDisk("Z0", ZoneDefect.None));
        await using var _ = bench;
        Succeeded(await host.WriteAsync(Size, Bytes(3)));
        Succeeded(await host.SendAsync(ZoneSendAction.Finish, 2 * Size));
        // Any block of a zone stands for it.
        var (count, zones) = await host.ReportAsync(Size + 5, 16);
        Assert.Equal((15ul, 15), (count, zones.Length));
        Assert.Equal((Size, Capacity, Size + 3, ZoneDescriptorState.ImplicitlyOpened, ZoneDescriptorType.SequentialWriteRequired),
            (zones[0].StartLba, zones[0].Capacity, zones[0].WritePointer, zones[0].State, zones[0].Type));
        Assert.Equal((2 * Size, ulong.MaxValue, ZoneDescriptorState.Full), (zones[1].StartLba, zones[1].WritePointer, zones[1].State));
        Assert.Equal((15 * Size, 15 * Size, ZoneDescriptorState.Empty), (zones[14].StartLba, zones[14].WritePointer, zones[14].State));
        Assert.Equal(13ul, (await host.ReportAsync(Size, 2, ZoneReportFilter.Empty)).Count);
        Assert.Equal([Size], (await host.ReportAsync(0, 4, ZoneReportFilter.ImplicitlyOpened)).Zones.Select(zone => zone.StartLba));
    }

    [Theory]
    [InlineData(200, 0)]
    [InlineData(200, 1)]
    [InlineData(200, 63)]
    [InlineData(200, 64)]
    [InlineData(200, 65)]
    [InlineData(200, 200)]
    [InlineData(200, 250)]
    [InlineData(64, 64)]
    public async Task A_report_counts_what_it_holds_or_what_there_is(int zones, int room)
    {
        ManyZones bdev = new("Z0", zones);
        for (int i = 0; i < zones; i++) bdev.Zones[i].State = (BdevZoneState)(i % 8);
        var (bench, host) = await StartAsync(bdev);
        await using var _ = bench;
        ulong start = 3 * ManyZones.Size;
        var (all, some) = await host.ReportAsync(start, room);
        Assert.Equal(((ulong)zones - 3, Math.Min(room, zones - 3)), (all, some.Length));
        Assert.Equal(Enumerable.Range(3, some.Length).Select(i => (ulong)i * ManyZones.Size), some.Select(zone => zone.StartLba));
        (ulong held, some) = await host.ReportAsync(start, room, partial: true);
        Assert.Equal(((ulong)some.Length, Math.Min(room, zones - 3)), (held, some.Length));
        int full = Enumerable.Range(3, zones - 3).Count(i => i % 8 == (int)BdevZoneState.Full);
        (all, some) = await host.ReportAsync(start, room, ZoneReportFilter.Full);
        Assert.Equal(((ulong)full, Math.Min(room, full)), (all, some.Length));
        Assert.All(some, zone => Assert.Equal(ZoneDescriptorState.Full, zone.State));
        (held, some) = await host.ReportAsync(start, room, ZoneReportFilter.Full, partial: true);
        Assert.Equal((ulong)Math.Min(room, full), held);
    }

    [Fact]
    public async Task A_report_leaves_nothing_of_others_in_its_buffer_and_fits_it()
    {
        var (bench, host) = await StartAsync(new ManyZones("Z0", 2));
        await using var _ = bench;
        Outcome outcome = await host.ReceiveAsync(0, 4096);
        Succeeded(outcome);
        Assert.True(outcome.Data.AsSpan(64 * 3).IndexOfAnyExcept((byte)0) < 0);
        // Room for one descriptor and a half holds one.
        outcome = await host.ReceiveAsync(0, 64 + 96);
        Succeeded(outcome);
        Assert.True(outcome.Data.AsSpan(128).IndexOfAnyExcept((byte)0) < 0);
        Refused(await host.ReceiveAsync(0, 60), GenericStatusCode.InvalidFieldInCommand);
        Refused(await host.ReceiveAsync(0, 4096, buffer: 4092), GenericStatusCode.DataSglLengthInvalid);
        Refused(await host.ReceiveAsync(0, 4096, buffer: 0), GenericStatusCode.DataSglLengthInvalid);
        Refused(await host.ReceiveAsync(0, 4096, action: ZoneReceiveAction.ExtendedReportZones), GenericStatusCode.InvalidFieldInCommand);
        Refused(await host.ReceiveAsync(0, 4096, (ZoneReportFilter)8), GenericStatusCode.InvalidFieldInCommand);
        Refused(await host.ReceiveAsync(2 * ManyZones.Size, 4096), GenericStatusCode.LbaOutOfRange);
        Refused(await host.ReceiveAsync(ulong.MaxValue, 4096), GenericStatusCode.LbaOutOfRange);
    }

    [Fact]
    public async Task What_the_bdev_fails_fails_the_report_and_the_next_one_works()
    {
        ManyZones bdev = new("Z0", 100);
        var (bench, host) = await StartAsync(bdev);
        await using var _ = bench;
        bdev.Answer = io => io.Type == BdevIoType.GetZoneInfo && io.OffsetBlocks > 0 ? BdevIoResult.FromErrno(Errno.EIO) : null;
        Assert.True((await host.ReceiveAsync(0, 64 + (100 * 64))).Status.Is(GenericStatusCode.InternalError));
        Assert.True((await host.SendAsync(ZoneSendAction.Reset, 0, all: true)).Status.Is(GenericStatusCode.InternalError));
        bdev.Answer = null;
        Assert.Equal(100ul, (await host.ReportAsync(0, 100)).Count);
        // Several at once, each with a walk of its own.
        var reports = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => host.ReportAsync((ulong)i * ManyZones.Size, 100)));
        Assert.Equal(Enumerable.Range(0, 8).Select(i => 100ul - (ulong)i), reports.Select(report => report.Count));
    }
}
