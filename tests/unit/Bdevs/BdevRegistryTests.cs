using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Modules;
using Spindle.UnitTests.Support;

namespace Spindle.UnitTests.Bdevs;

public sealed class BdevRegistryTests
{
    private static readonly BdevEventCallback s_ignore = static (_, _, _) => { };

    private static async Task OnAppAsync(Func<BdevHost, Task> body)
    {
        await using var host = await BdevHost.StartAsync();
        await host.RunAsync(() => body(host));
    }

    [Fact]
    public Task A_bdev_is_found_by_name_alias_and_uuid_and_names_are_unique() => OnAppAsync(host =>
    {
        var bdev = new MemoryBdev("a");
        bdev.Aliases.Add("lvs/a");
        host.Bdevs.Register(bdev);
        Assert.NotEqual(Guid.Empty, bdev.Uuid);
        Assert.Same(bdev, host.Bdevs.Find("a"));
        Assert.Same(bdev, host.Bdevs.Find("lvs/a"));
        Assert.Same(bdev, host.Bdevs.Find(bdev.Uuid.ToString().ToUpperInvariant()));
        Assert.Null(host.Bdevs.Find("b"));
        foreach (var other in new[] { new MemoryBdev("a"), new MemoryBdev("lvs/a"), new MemoryBdev("b") { Uuid = bdev.Uuid } })
        {
            var failure = Assert.Throws<SpindleException>(() => host.Bdevs.Register(other));
            Assert.Equal(Errno.EEXIST, failure.Errno);
        }
        host.Bdevs.AddAlias(bdev, "second");
        Assert.Same(bdev, host.Bdevs.Find("second"));
        host.Bdevs.RemoveAlias(bdev, "second");
        Assert.Null(host.Bdevs.Find("second"));
        Assert.Equal(Errno.ENOENT, Assert.Throws<SpindleException>(() => host.Bdevs.RemoveAlias(bdev, "second")).Errno);
        return Task.CompletedTask;
    });

    [Theory]
    [InlineData(500u, 10ul, 1u, "BlockSize")]
    [InlineData(512u, 0ul, 1u, "BlockCount")]
    [InlineData(512u, 10ul, 3u, "RequiredAlignment")]
    [InlineData(512u, 10ul, 8192u, "RequiredAlignment")]
    public Task A_geometry_that_makes_no_sense_is_refused_by_member(uint blockSize, ulong blocks, uint alignment, string member) => OnAppAsync(host =>
    {
        var failure = Assert.Throws<SpindleException>(() => host.Bdevs.Register(new MemoryBdev("x", blockSize, blocks, null, alignment)));
        Assert.Equal(Errno.EINVAL, failure.Errno);
        Assert.Contains(member, failure.Message);
        return Task.CompletedTask;
    });

    [Fact]
    public Task Removal_tells_the_openers_waits_for_them_and_refuses_new_I_O() => OnAppAsync(async host =>
    {
        var bdev = new MemoryBdev("m");
        BdevIo? held = null;
        uint generation = 0;
        bdev.Intercept = io => { (held, generation) = (io, io.Generation); return true; };
        host.Bdevs.Register(bdev);
        var told = new TaskCompletionSource();
        var descriptor = host.Bdevs.Open("m", true, (type, _, _) => { if (type == BdevEventType.Remove) told.TrySetResult(); });
        var channel = descriptor.GetChannel();
        using var memory = host.Environment.TestMemory.Allocate(4096);
        var reading = channel.ReadAsync([memory.Slice(0, 512)], 0, 1);
        var removal = host.Bdevs.UnregisterAsync(bdev);
        await told.Task.WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(-Errno.ENODEV, channel.Read([memory.Slice(0, 512)], 0, 1, static (object? _, in BdevIoResult _) => { }, null));
        Assert.Equal(Errno.ENODEV, Assert.Throws<SpindleException>(() => host.Bdevs.Open("m", false, s_ignore)).Errno);
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => host.Bdevs.UnregisterAsync(bdev))).Errno);
        held!.Complete(generation, BdevIoStatus.Success);
        Assert.True((await reading).IsSuccess);
        await Task.Delay(10);
        Assert.False(removal.IsCompleted);
        channel.Put();
        descriptor.Close();
        await removal.WaitAsync(TimeSpan.FromSeconds(5));
        Assert.True(bdev.Destructed);
        Assert.Null(host.Bdevs.Find("m"));
    });

    [Fact]
    public Task Resize_tells_the_openers_and_does_not_shrink_what_is_open() => OnAppAsync(async host =>
    {
        var bdev = new MemoryBdev("m");
        host.Bdevs.Register(bdev);
        var told = new TaskCompletionSource<ulong>();
        var descriptor = host.Bdevs.Open("m", false, (type, b, _) => { if (type == BdevEventType.Resize) told.TrySetResult(b.BlockCount); });
        host.Bdevs.Resize(bdev, 2048);
        Assert.Equal(2048ul, await told.Task.WaitAsync(TimeSpan.FromSeconds(5)));
        Assert.Equal(Errno.EBUSY, Assert.Throws<SpindleException>(() => host.Bdevs.Resize(bdev, 1024)).Errno);
        descriptor.Close();
        host.Bdevs.Resize(bdev, 1024);
        Assert.Equal(1024ul, bdev.BlockCount);
    });

    [Fact]
    public Task Claims_keep_other_writers_out() => OnAppAsync(host =>
    {
        host.Bdevs.Register(new MemoryBdev("m"));
        var other = host.Registry.ForModule("other");
        var mine = host.Bdevs.Open("m", false, s_ignore);
        host.Bdevs.Claim(mine, BdevClaimType.ExclusiveWrite, "");
        Assert.True(mine.IsWritable);
        var failure = Assert.Throws<SpindleException>(() => other.Open("m", true, s_ignore));
        Assert.Equal(Errno.EPERM, failure.Errno);
        Assert.Contains("test", failure.Message);
        var reader = other.Open("m", false, s_ignore);
        Assert.Equal(Errno.EPERM, Assert.Throws<SpindleException>(() => other.Claim(reader, BdevClaimType.ReadManyWriteNone)).Errno);
        mine.Close();
        var writer = other.Open("m", true, s_ignore);
        var second = host.Bdevs.Open("m", true, s_ignore);
        Assert.Equal(Errno.EPERM, Assert.Throws<SpindleException>(() => host.Bdevs.Claim(second, BdevClaimType.ReadManyWriteOne)).Errno);
        foreach (var descriptor in new[] { reader, writer, second }) descriptor.Close();
        return Task.CompletedTask;
    });

    [Fact]
    public Task Shared_claims_need_the_same_key_and_read_only_ones_a_reader() => OnAppAsync(host =>
    {
        var bdev = new MemoryBdev("m");
        host.Bdevs.Register(bdev);
        IBdevDescriptor Open(bool write) => host.Bdevs.Open("m", write, s_ignore);
        var (a, b, c) = (Open(false), Open(false), Open(false));
        Assert.Equal(Errno.EINVAL, Assert.Throws<SpindleException>(() => host.Bdevs.Claim(a, BdevClaimType.ReadManyWriteShared)).Errno);
        host.Bdevs.Claim(a, BdevClaimType.ReadManyWriteShared, sharedKey: 7);
        host.Bdevs.Claim(b, BdevClaimType.ReadManyWriteShared, sharedKey: 7);
        Assert.Equal(Errno.EPERM, Assert.Throws<SpindleException>(() => host.Bdevs.Claim(c, BdevClaimType.ReadManyWriteShared, sharedKey: 8)).Errno);
        host.Bdevs.Release(a);
        Assert.Equal(BdevClaimType.ReadManyWriteShared, BdevRegistry.GetClaim(bdev).Type);
        b.Close();
        Assert.Equal("not_claimed", BdevRegistry.GetClaim(bdev).WireName);
        a.Close();
        var writer = Open(true);
        Assert.Equal(Errno.EINVAL, Assert.Throws<SpindleException>(() => host.Bdevs.Claim(writer, BdevClaimType.ReadManyWriteNone)).Errno);
        writer.Close();
        host.Bdevs.Claim(c, BdevClaimType.ReadManyWriteNone);
        var d = Open(false);
        host.Bdevs.Claim(d, BdevClaimType.ReadManyWriteNone);
        Assert.Equal(Errno.EPERM, Assert.Throws<SpindleException>(() => Open(true)).Errno);
        c.Close();
        d.Close();
        return Task.CompletedTask;
    });

    [Fact]
    public Task New_bdevs_are_shown_to_the_modules_and_disks_only_while_unclaimed() => OnAppAsync(async host =>
    {
        var seen = new List<string>();
        var claimer = new Examining(bdev =>
        {
            seen.Add("config " + bdev.Name);
            if (bdev.Name != "claimed") return;
            var descriptor = host.Bdevs.Open("claimed", false, static (type, _, state) => { if (type == BdevEventType.Remove) ((IBdevDescriptor[])state!)[0].Close(); }, Slot);
            Slot[0] = descriptor;
            host.Bdevs.Claim(descriptor, BdevClaimType.ExclusiveWrite);
        }, async bdev =>
        {
            await Task.Delay(10);
            seen.Add("disk " + bdev.Name);
        });
        host.Bdevs.Register(new MemoryBdev("before"));
        host.Registry.Examiner.Add(claimer);
        host.Bdevs.Register(new MemoryBdev("claimed"));
        host.Bdevs.Register(new MemoryBdev("free"));
        await host.Bdevs.WaitForExamineAsync();
        Assert.Equal(["config before", "config claimed", "config free", "disk before", "disk free"], seen.Order());
    });

    [Fact]
    public Task What_is_on_denied_bdevs_is_not_looked_for() => OnAppAsync(async host =>
    {
        var seen = new List<string>();
        host.Registry.Options = host.Registry.Options with { ExamineDeny = ["disk-?", "lvs/*"] };
        host.Registry.Examiner.Add(new Examining(bdev => seen.Add("config " + bdev.Name), bdev =>
        {
            seen.Add("disk " + bdev.Name);
            return Task.CompletedTask;
        }));
        host.Bdevs.Register(new MemoryBdev("disk-1"));
        host.Bdevs.Register(new MemoryBdev("disk-10"));
        var aliased = new MemoryBdev("x");
        aliased.Aliases.Add("lvs/x");
        host.Bdevs.Register(aliased);
        await host.Bdevs.WaitForExamineAsync();
        // What was configured by name comes up all the same.
        Assert.Equal(["config disk-1", "config disk-10", "config x", "disk disk-10"], seen.Order());
        seen.Clear();
        host.Registry.Options = host.Registry.Options with { AutoExamine = false };
        host.Registry.Examiner.Request("disk-1");
        await host.Bdevs.WaitForExamineAsync();
        Assert.Equal(["config disk-1", "disk disk-1"], seen.Order());
    });

    [Fact]
    public Task Media_events_wait_for_each_writer_up_to_a_limit() => OnAppAsync(async host =>
    {
        var bdev = new MemoryBdev("m");
        host.Bdevs.Register(bdev);
        Assert.Equal(0, host.Bdevs.NotifyMedia(bdev, [new(0, 1)]));
        int told = 0;
        var writers = new[] { Open(true), Open(true) };
        var reader = Open(false);
        Assert.Equal(2, host.Bdevs.NotifyMedia(bdev, [new(5, 2), new(7, 1)]));
        var events = new BdevMediaEvent[100];
        Assert.Equal(1, writers[0].TakeMediaEvents(events.AsSpan(0, 1)));
        Assert.Equal(new BdevMediaEvent(5, 2), events[0]);
        Assert.Equal(0, reader.TakeMediaEvents(events));
        Assert.Equal(62, host.Bdevs.NotifyMedia(bdev, [.. Enumerable.Range(0, 70).Select(i => new BdevMediaEvent((ulong)i, 1))]));
        Assert.Equal(64, writers[0].TakeMediaEvents(events));
        Assert.Equal(64, writers[1].TakeMediaEvents(events));
        Assert.Equal(new BdevMediaEvent(61, 1), events[63]);
        Assert.Equal(0, writers[1].TakeMediaEvents(events));
        while (Volatile.Read(ref told) < 4) await Task.Delay(1);
        foreach (var (offset, count) in new[] { (0ul, 0ul), (bdev.BlockCount, 1ul), (1ul, bdev.BlockCount), (1ul, ulong.MaxValue) })
            Assert.Equal(Errno.EINVAL, Assert.Throws<SpindleException>(() => host.Bdevs.NotifyMedia(bdev, [new(offset, count)])).Errno);
        foreach (var descriptor in writers.Append(reader)) descriptor.Close();
        Assert.Equal(4, told);

        IBdevDescriptor Open(bool write) => host.Bdevs.Open("m", write, (type, _, _) => { if (type == BdevEventType.MediaManagement) Interlocked.Increment(ref told); });
    });

    [Theory]
    [InlineData(10, 20, 0, 100, 10, 20)]
    [InlineData(10, 20, 15, 100, 0, 15)]
    [InlineData(10, 20, 15, 5, 0, 5)]
    [InlineData(10, 20, 30, 5, 0, 0)]
    [InlineData(10, 20, 5, 5, 0, 0)]
    [InlineData(10, ulong.MaxValue, 15, ulong.MaxValue, 0, ulong.MaxValue - 15)]
    public void A_media_event_is_cut_to_a_range(ulong offset, ulong count, ulong from, ulong length, ulong first, ulong blocks) =>
        Assert.Equal(new BdevMediaEvent(first, blocks), new BdevMediaEvent(offset, count).Within(from, length));

    private static readonly IBdevDescriptor[] Slot = new IBdevDescriptor[1];

    private sealed class Examining(Action<Bdev> config, Func<Bdev, Task> disk) : BdevModule
    {
        public override string Name => "examining";
        public override bool ExaminesDisks => true;
        public override void ExamineConfig(Bdev bdev) => config(bdev);
        public override Task ExamineDiskAsync(Bdev bdev, CancellationToken cancellationToken) => disk(bdev);
    }

    [Fact]
    public Task A_faulty_modules_bdevs_go_even_when_it_completes_nothing() => OnAppAsync(async host =>
    {
        var bdev = new MemoryBdev("m") { Intercept = _ => true };
        host.Bdevs.Register(bdev);
        IBdevChannel? channel = null;
        IBdevDescriptor? descriptor = null;
        Task<BdevIoResult>? reading = null;
        descriptor = host.Bdevs.Open("m", false, (type, _, _) => _ = CloseAsync());
        channel = descriptor.GetChannel();
        using var memory = host.Environment.TestMemory.Allocate(4096);
        reading = channel.ReadAsync([memory.Slice(0, 512)], 0, 1);
        await host.Registry.RemoveAllOfAsync("test", TimeSpan.FromMilliseconds(50)).WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(BdevIoStatus.Failed, (await reading).Status);
        Assert.Empty(host.Bdevs.All);

        async Task CloseAsync()
        {
            await reading!;
            channel!.Put();
            descriptor!.Close();
        }
    });
}
