using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Host.Bdevs.Qos;

namespace Spindle.ContractTests.Layer.Zcopy;

/// <summary>Loans of buffers: who lends, what refuses, how they end.</summary>
public sealed class ZcopyTests(ContractHost host) : BdevTest(host)
{
    private async Task<(BdevClient Client, IBdevZcopy Zcopy)> OpenAsync(BdevSubject disk, bool write = true)
    {
        Track(disk.Name);
        var client = await OpenAsync(disk.Name, write);
        return (client, await OnThreadAsync(client, client.Channel.CreateZcopy));
    }

    private static Task<T> OnThreadAsync<T>(BdevClient client, Func<T> function)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        client.Thread.Send(_ =>
        {
            try { done.SetResult(function()); }
            catch (Exception e) { done.SetException(e); }
        }, null);
        return done.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
    }

    private static Task<Outcome> StartAsync(BdevClient client, IBdevZcopy zcopy, ulong offset, ulong blocks, bool populate = true) =>
        client.SubmitAsync((_, done, state) => zcopy.Start(offset, blocks, populate, done, state));

    private static Task<Outcome> EndAsync(BdevClient client, IBdevZcopy zcopy, bool commit) => client.SubmitAsync((_, done, state) => zcopy.End(commit, done, state));

    private Task<BdevSubject> MallocAsync(uint blockSize = 512) => Subjects.MallocAsync(Host, new() { NumBlocks = 4096, BlockSize = blockSize });

    [Fact]
    public async Task Memory_is_lent_as_it_is()
    {
        var (client, zcopy) = await OpenAsync(await MallocAsync());
        Assert.True((await StartAsync(client, zcopy, 8, 16)).IsSuccess);
        var address = zcopy.Buffers[0].Address;
        Assert.True((await EndAsync(client, zcopy, commit: false)).IsSuccess);
        Assert.True(zcopy.Buffers.IsEmpty);
        // The same memory again, and no buffer of the host's.
        Assert.True((await StartAsync(client, zcopy, 8, 16, populate: false)).IsSuccess);
        Assert.Equal(address, zcopy.Buffers[0].Address);
        Assert.Equal((0, 0), Host.Iobuf.InUse);
        Assert.True((await EndAsync(client, zcopy, commit: true)).IsSuccess);
        Assert.Equal(4096ul, zcopy.MaxBlocks);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_makes_no_sense_is_refused_and_changes_nothing(bool lends)
    {
        var disk = await MallocAsync();
        if (!lends) Track((disk = await Subjects.PassthruAsync(Host, disk)).Below[0]);
        var (client, zcopy) = await OpenAsync(disk);
        Assert.Equal(-Errno.EINVAL, (await EndAsync(client, zcopy, commit: true)).Error);
        Assert.Equal(-Errno.EINVAL, (await StartAsync(client, zcopy, 0, 0)).Error);
        Assert.Equal(-Errno.EINVAL, (await StartAsync(client, zcopy, 4095, 2)).Error);
        Assert.Equal(-Errno.EINVAL, (await StartAsync(client, zcopy, ulong.MaxValue, 2)).Error);
        Assert.Equal(-Errno.EINVAL, (await StartAsync(client, zcopy, 0, zcopy.MaxBlocks + 1)).Error);
        Assert.True((await StartAsync(client, zcopy, 0, zcopy.MaxBlocks)).IsSuccess);
        Assert.Equal(-Errno.EBUSY, (await StartAsync(client, zcopy, 0, 1)).Error);
        Assert.True((await EndAsync(client, zcopy, commit: true)).IsSuccess);
        Assert.Equal(-Errno.EINVAL, (await EndAsync(client, zcopy, commit: false)).Error);
    }

    [Fact]
    public async Task Opened_read_only_it_is_ended_without_a_commit()
    {
        var (client, zcopy) = await OpenAsync(await MallocAsync(), write: false);
        Assert.True((await StartAsync(client, zcopy, 0, 1)).IsSuccess);
        Assert.Equal(-Errno.EBADF, (await EndAsync(client, zcopy, commit: true)).Error);
        Assert.True((await EndAsync(client, zcopy, commit: false)).IsSuccess);
    }

    [Fact]
    public async Task A_failing_read_or_write_is_told_and_ends_the_loan()
    {
        var malloc = await MallocAsync();
        Track(malloc.Name);
        var error = await Subjects.ErrorAsync(Host, malloc);
        var (client, zcopy) = await OpenAsync(error);
        await Host.Modules.Error.CallAsync("bdev_error_inject_error", $$"""{"name":"{{error.Name}}","io_type":"all","error_type":"failure"}""");
        Assert.Equal(BdevIoStatus.Failed, (await StartAsync(client, zcopy, 0, 8)).Status);
        Assert.True((await StartAsync(client, zcopy, 0, 8)).IsSuccess);
        Assert.Equal(BdevIoStatus.Failed, (await EndAsync(client, zcopy, commit: true)).Status);
        Assert.True((await StartAsync(client, zcopy, 0, 8)).IsSuccess);
        Assert.True((await EndAsync(client, zcopy, commit: true)).IsSuccess);
    }

    [Fact]
    public async Task An_abort_ends_a_start_that_hangs_below()
    {
        var malloc = await MallocAsync();
        Track(malloc.Name);
        var error = await Subjects.ErrorAsync(Host, malloc);
        var (client, zcopy) = await OpenAsync(error);
        await Host.Modules.Error.CallAsync("bdev_error_inject_error", $$"""{"name":"{{error.Name}}","io_type":"read","error_type":"pending"}""");
        object? target = null;
        var start = client.SubmitAsync((_, done, state) => zcopy.Start(0, 8, true, done, target = state));
        var abort = await client.SubmitAsync((channel, done, state) => channel.Abort(target!, done, state));
        Assert.True(abort.IsSuccess);
        Assert.Equal(BdevIoStatus.Aborted, (await start).Status);
    }

    [Fact]
    public async Task Limits_count_what_is_lent_as_reads_and_writes()
    {
        var disk = await MallocAsync();
        var (client, zcopy) = await OpenAsync(disk);
        var bdev = await FindAsync(disk.Name);
        await Host.OnAppAsync(() => Host.Bdevs.SetRateLimitsAsync(bdev, new BdevRateLimits(100_000, 0, 0, 0)));
        Assert.True((await StartAsync(client, zcopy, 0, 4)).IsSuccess);
        // A buffer of the host's now, filled by a read that counts.
        Assert.NotEqual((0, 0), Host.Iobuf.InUse);
        Assert.True((await EndAsync(client, zcopy, commit: true)).IsSuccess);
        var statistics = await Host.OnAppAsync(() => Host.Bdevs.GetStatisticsAsync(bdev));
        Assert.Equal((1ul, 1ul), (statistics.Reads, statistics.Writes));
        await Host.OnAppAsync(() => Host.Bdevs.SetRateLimitsAsync(bdev, BdevRateLimits.None));
        Assert.True((await StartAsync(client, zcopy, 0, 4)).IsSuccess);
        Assert.True((await EndAsync(client, zcopy, commit: true)).IsSuccess);
        statistics = await Host.OnAppAsync(() => Host.Bdevs.GetStatisticsAsync(bdev));
        Assert.Equal((2ul, 1ul, 4096ul), (statistics.Reads, statistics.Writes, statistics.BytesRead));
    }

    [Fact]
    public async Task A_channel_that_is_put_gives_the_hosts_buffers_back()
    {
        var malloc = await MallocAsync();
        Track(malloc.Name);
        var (client, zcopy) = await OpenAsync(await Subjects.PassthruAsync(Host, malloc));
        Assert.True((await StartAsync(client, zcopy, 0, 8)).IsSuccess);
        Assert.NotEqual((0, 0), Host.Iobuf.InUse);
        await client.DisposeAsync();
        await Eventually.IsTrueAsync(() => Host.Iobuf.InUse == (0, 0), "the buffers");
    }

    [Fact]
    public async Task Loans_allocate_nothing()
    {
        var (client, zcopy) = await OpenAsync(await MallocAsync());
        var (above, emulated) = await OpenAsync(await Subjects.PassthruAsync(Host, await MallocSecondAsync()));
        foreach (var (user, loan) in new[] { (client, zcopy), (above, emulated) })
        {
            await RoundsAsync(user, loan, 200);
            Assert.Equal(0, await RoundsAsync(user, loan, 2000));
        }
    }

    private async Task<BdevSubject> MallocSecondAsync()
    {
        var disk = await MallocAsync();
        Track(disk.Name);
        return disk;
    }

    /// <summary>Loans one after another; what they allocated, in bytes, on the client's thread.</summary>
    private static Task<long> RoundsAsync(BdevClient client, IBdevZcopy zcopy, int count)
    {
        var rounds = new Rounds(zcopy, count);
        client.Thread.Send(static state => ((Rounds)state!).Next(), rounds);
        return rounds.Done.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
    }

    private sealed class Rounds(IBdevZcopy zcopy, int count)
    {
        private static readonly BdevIoCallback s_started = static (object? state, in BdevIoResult _) => ((Rounds)state!).End();
        private static readonly BdevIoCallback s_ended = static (object? state, in BdevIoResult _) => ((Rounds)state!).Next();
        private int _left = count;
        private long _before;

        public TaskCompletionSource<long> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Next()
        {
            if (_before == 0) _before = GC.GetAllocatedBytesForCurrentThread();
            if (_left-- == 0) Done.SetResult(GC.GetAllocatedBytesForCurrentThread() - _before);
            else if (zcopy.Start((ulong)(_left % 64) * 8, 8, _left % 2 == 0, s_started, this) != 0) Done.SetResult(-1);
        }

        private void End()
        {
            if (zcopy.End(commit: _left % 3 != 0, s_ended, this) != 0) Done.SetResult(-2);
        }
    }
}
