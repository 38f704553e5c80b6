using System.Diagnostics;
using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Rpc;

namespace Spindle.ContractTests.Modules.Delay;

public sealed class DelayTests(ContractHost host) : BdevTest(host)
{
    private async Task<BdevSubject> SlowAsync(int average, int p99)
    {
        var disk = await Subjects.MallocAsync(Host, new() { Name = Track(ContractHost.NewName("disk")), NumBlocks = 1024, BlockSize = 512 });
        var slow = await Subjects.DelayAsync(Host, disk, average, p99);
        Track(slow.Name);
        return slow;
    }

    private Task UpdateAsync(string name, string type, ulong microseconds) => Host.Modules.Delay.CallAsync("bdev_delay_update_latency",
        $$"""{"delay_bdev_name":"{{name}}","latency_type":"{{type}}","latency_us":{{microseconds}}}""");

    /// <summary>Milliseconds of one I/O.</summary>
    private static async Task<double> TimeAsync(Func<Task<Outcome>> io)
    {
        long start = Stopwatch.GetTimestamp();
        Assert.True((await io()).IsSuccess);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    [Fact]
    public async Task One_in_a_hundred_is_as_late_as_the_99th_percentile_and_the_others_as_the_average()
    {
        const int ios = 4000;
        var slow = await SlowAsync(average: 2_000, p99: 500_000);
        var client = await OpenAsync(slow.Name);
        using var buffer = new TestBuffer(512);
        var times = new double[ios];
        // All at once: each waits for itself only, whatever the machine does meanwhile.
        await Task.WhenAll(Enumerable.Range(0, ios).Select(async i => times[i] = await TimeAsync(() => client.ReadAsync(buffer, (ulong)i % 1024, 1))));
        int late = times.Count(ms => ms >= 499);
        Assert.All(times, ms => Assert.True(ms >= 1.9, $"after {ms} ms, before its time"));
        // A binomial distribution of 4,000 and 1 %: 40 ± 6.3; these bounds are six deviations away. One that waits for another would count too.
        Assert.InRange(late, 4, 80);
    }

    [Fact]
    public async Task Reads_and_writes_have_latencies_of_their_own_which_change_at_once()
    {
        var slow = await SlowAsync(average: 0, p99: 0);
        var client = await OpenAsync(slow.Name);
        using var buffer = new TestBuffer(512);
        await UpdateAsync(slow.Name, "avg_write", 80_000);
        await UpdateAsync(slow.Name, "p99_write", 80_000);
        Assert.True(await TimeAsync(() => client.WriteAsync(buffer, 0, 1)) >= 79);
        Assert.True(await TimeAsync(() => client.ReadAsync(buffer, 0, 1)) < 79);
        await UpdateAsync(slow.Name, "avg_write", 0);
        await UpdateAsync(slow.Name, "p99_write", 0);
        await UpdateAsync(slow.Name, "avg_read", 80_000);
        await UpdateAsync(slow.Name, "p99_read", 80_000);
        Assert.True(await TimeAsync(() => client.WriteAsync(buffer, 0, 1)) < 79);
        Assert.True(await TimeAsync(() => client.ReadAsync(buffer, 0, 1)) >= 79);
        Assert.True(await TimeAsync(() => client.FlushAsync(0, 1)) < 79);
        Assert.Contains($"bdev_delay_create name={slow.Name} base_bdev_name={slow.Below[0]} uuid={client.Bdev.Uuid} avg_read_latency=80000 p99_read_latency=80000 " +
            "avg_write_latency=0 p99_write_latency=0", await Host.Modules.SavedAsync(Host.Modules.Delay));
    }

    [Fact]
    public async Task What_a_lowered_latency_hits_waits_behind_what_the_higher_one_delayed()
    {
        var slow = await SlowAsync(average: 100_000, p99: 100_000);
        var client = await OpenAsync(slow.Name);
        using var buffer = new TestBuffer(512);
        var first = TimeAsync(() => client.ReadAsync(buffer, 0, 1));
        await client.OnThreadAsync(() => { });
        await UpdateAsync(slow.Name, "avg_read", 0);
        await UpdateAsync(slow.Name, "p99_read", 0);
        var second = await client.ReadAsync(buffer, 0, 1);
        Assert.True(second.IsSuccess);
        await Task.WhenAny(first, Task.Delay(2000, Cancel));
        Assert.True(first.IsCompleted && await first >= 99);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_reset_or_an_abort_ends_what_is_delayed(bool reset)
    {
        var slow = await SlowAsync(average: 2_000_000_000, p99: 2_000_000_000);
        var client = await OpenAsync(slow.Name);
        var other = await OpenAsync(slow.Name, worker: 1);
        using var buffer = new TestBuffer(512);
        object? target = null;
        var delayed = client.SubmitAsync((c, done, state) => c.Read(buffer.Vectors, 0, 1, done, target = state));
        var elsewhere = reset ? other.ReadAsync(buffer, 1, 1) : Task.FromResult(default(Outcome));
        await client.OnThreadAsync(() => { });
        await other.OnThreadAsync(() => { });
        await Task.Delay(20, Cancel);
        Assert.False(delayed.IsCompleted);
        var ending = reset ? await client.ResetAsync() : await client.SubmitAsync((c, done, state) => c.Abort(target!, done, state));
        Assert.True(ending.IsSuccess);
        Assert.Equal(BdevIoStatus.Aborted, (await delayed.WaitAsync(TimeSpan.FromSeconds(10), Cancel)).Status);
        if (reset) Assert.Equal(BdevIoStatus.Aborted, (await elsewhere.WaitAsync(TimeSpan.FromSeconds(10), Cancel)).Status);
    }

    [Fact]
    public async Task Removal_waits_for_what_is_delayed()
    {
        var slow = await SlowAsync(average: 150_000, p99: 150_000);
        var client = await OpenAsync(slow.Name, closeWhenRemoved: true);
        using var buffer = new TestBuffer(512);
        var delayed = client.WriteAsync(buffer, 0, 1);
        await client.OnThreadAsync(() => { });
        var removed = slow.DeleteAsync!();
        Assert.True((await delayed).IsSuccess);
        await removed.WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        Assert.Null(Host.Registry.Find(slow.Name));
    }

    [Theory]
    [InlineData("avg_read_latency", 11, "p99_read_latency is below avg_read_latency")]
    [InlineData("avg_write_latency", 11, "p99_write_latency is below avg_write_latency")]
    [InlineData("p99_read_latency", 86_400_000_001, "p99_read_latency is above")]
    public async Task Latencies_that_make_no_sense_are_refused(string member, ulong value, string reason)
    {
        var values = new Dictionary<string, ulong> { ["avg_read_latency"] = 1, ["p99_read_latency"] = 10, ["avg_write_latency"] = 1, ["p99_write_latency"] = 10, [member] = value };
        string json = "{\"name\":\"d\",\"base_bdev_name\":\"b\"," + string.Join(',', values.Select(v => $"\"{v.Key}\":{v.Value}")) + "}";
        var refused = await Assert.ThrowsAsync<SpindleException>(() => Host.Modules.Delay.CallAsync("bdev_delay_create", json));
        Assert.Equal(Errno.EINVAL, refused.Errno);
        Assert.StartsWith(reason, refused.Message);
    }

    [Fact]
    public async Task An_update_of_nothing_is_refused_with_spdks_words()
    {
        var slow = await SlowAsync(average: 0, p99: 0);
        Assert.StartsWith("Please specify a valid latency type.", (await Assert.ThrowsAsync<RpcException>(() => UpdateAsync(slow.Name, "avg", 1))).Message);
        var missing = await Assert.ThrowsAsync<RpcException>(() => UpdateAsync(slow.Below[0], "avg_read", 1));
        Assert.Equal(RpcErrorCode.InvalidParams, missing.Code);
        Assert.StartsWith("The requested bdev does not exist.", missing.Message);
    }

    [Fact]
    public async Task It_goes_with_its_base_and_comes_back_as_it_was()
    {
        var slow = await SlowAsync(average: 5, p99: 7);
        string lower = slow.Below[0];
        await Host.UnregisterAsync(lower).WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        Assert.Null(Host.Registry.Find(slow.Name));
        Assert.Contains(await Host.Modules.SavedAsync(Host.Modules.Delay), call => call.StartsWith($"bdev_delay_create name={slow.Name} base_bdev_name={lower}", StringComparison.Ordinal)
            && call.Contains("avg_read_latency=5 p99_read_latency=7", StringComparison.Ordinal));
        await Subjects.MallocAsync(Host, new() { Name = lower, NumBlocks = 64, BlockSize = 512 });
        await Eventually.IsTrueAsync(() => Host.Registry.Find(slow.Name) is not null, "the bdev to come back");
        await slow.DeleteAsync!();
    }
}
