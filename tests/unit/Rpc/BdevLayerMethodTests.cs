using System.Buffers.Binary;
using System.Diagnostics;
using System.Text.Json;
using Spindle.Bdevs;
using Spindle.Cli;
using Spindle.UnitTests.Support;

namespace Spindle.UnitTests.Rpc;

/// <summary>What is set for one bdev, whoever made it: limits, histograms, looks at the queue depth, timeouts; and how bdevs sit on one another.</summary>
public sealed class BdevLayerMethodTests : IAsyncLifetime
{
    private HostMethods _methods = null!;

    public async ValueTask InitializeAsync()
    {
        _methods = await HostMethods.StartAsync();
        await _methods.AddAsync(new MemoryBdev("M0"));
    }

    public ValueTask DisposeAsync() => _methods.DisposeAsync();

    private Task<JsonElement> CallAsync(string method, string? parameters = null) => _methods.CallAsync(method, parameters);

    private Task<(int Code, string Message)> FailAsync(string method, string? parameters = null) => _methods.FailAsync(method, parameters);

    private static string[] Members(JsonElement value) => [.. value.EnumerateObject().Select(m => m.Name)];

    private async Task<string> LimitsAsync() => (await CallAsync("bdev_get_bdevs", "{\"name\":\"M0\"}"))[0].GetProperty("assigned_rate_limits").GetRawText();

    /// <summary>The calls that are saved for bdevs, without the options.</summary>
    private async Task<string[]> SavedAsync() =>
        [.. (await CallAsync("framework_get_config", "{\"name\":\"bdev\"}")).EnumerateArray().Where(c => c.GetProperty("method").GetString() is not ("bdev_set_options" or "bdev_wait_for_examine"))
            .Select(c => $"{c.GetProperty("method").GetString()} {c.GetProperty("params").GetRawText()}")];

    private Task ReadAsync(int count, ulong offset = 0) => _methods.Host.RunAsync(async () =>
    {
        var descriptor = _methods.Host.Bdevs.Open("M0", true, static (_, _, _) => { });
        var channel = descriptor.GetChannel();
        using (var buffer = _methods.Host.Environment.Memory.Allocate(4096))
            for (int i = 0; i < count; i++) await channel.ReadAsync([buffer.Slice(0, 512)], offset, 1);
        channel.Put();
        descriptor.Close();
    });

    [Fact]
    public async Task Limits_are_set_shown_and_saved()
    {
        Assert.Equal("{\"rw_ios_per_sec\":0,\"rw_mbytes_per_sec\":0,\"r_mbytes_per_sec\":0,\"w_mbytes_per_sec\":0}", await LimitsAsync());
        Assert.True((await CallAsync("bdev_set_qos_limit", "{\"name\":\"M0\",\"rw_ios_per_sec\":20001,\"w_mbytes_per_sec\":7}")).GetBoolean());
        Assert.Equal("{\"rw_ios_per_sec\":21000,\"rw_mbytes_per_sec\":0,\"r_mbytes_per_sec\":0,\"w_mbytes_per_sec\":7}", await LimitsAsync());
        // What is not given stays; megabytes are capped where bytes would not fit 64 bits.
        await CallAsync("bdev_set_qos_limit", "{\"name\":\"M0\",\"r_mbytes_per_sec\":18446744073709551614}");
        Assert.Equal("{\"rw_ios_per_sec\":21000,\"rw_mbytes_per_sec\":0,\"r_mbytes_per_sec\":17592186044415,\"w_mbytes_per_sec\":7}", await LimitsAsync());
        await CallAsync("bdev_set_qos_limit", "{\"name\":\"M0\",\"r_mbytes_per_sec\":0,\"rw_ios_per_sec\":18446744073709551614}");
        Assert.Equal("{\"rw_ios_per_sec\":18446744073709551000,\"rw_mbytes_per_sec\":0,\"r_mbytes_per_sec\":0,\"w_mbytes_per_sec\":7}", await LimitsAsync());
        await CallAsync("bdev_set_qos_limit", "{\"name\":\"M0\",\"rw_ios_per_sec\":1}");
        Assert.Equal(["bdev_set_qos_limit {\"name\":\"M0\",\"rw_ios_per_sec\":1000,\"w_mbytes_per_sec\":7}"], await SavedAsync());
        await CallAsync("bdev_set_qos_limit", "{\"name\":\"M0\",\"rw_ios_per_sec\":0,\"w_mbytes_per_sec\":0}");
        Assert.Empty(await SavedAsync());
    }

    [Fact]
    public async Task Limits_that_make_no_sense_are_refused_as_in_spdk()
    {
        Assert.Equal((-22, "No rate limits specified"), await FailAsync("bdev_set_qos_limit", "{\"name\":\"M0\"}"));
        Assert.Equal(-19, (await FailAsync("bdev_set_qos_limit", "{\"name\":\"nope\",\"rw_ios_per_sec\":1000}")).Code);
        foreach (string wrong in (string[])["{\"rw_ios_per_sec\":1000}", "{\"name\":\"M0\",\"rw_ios_per_sec\":-1}", "{\"name\":\"M0\",\"rw_mbytes_per_sec\":1.5}", "{\"name\":\"M0\",\"ios\":1}"])
            Assert.Equal(-32603, (await FailAsync("bdev_set_qos_limit", wrong)).Code);
    }

    /// <summary>The bounds of each bucket that is not empty, in ticks, and its count: worked out from the reply's own numbers.</summary>
    private static List<(ulong From, ulong To, ulong Count)> Decode(JsonElement reply)
    {
        byte[] bytes = reply.GetProperty("histogram").GetBytesFromBase64();
        int granularity = reply.GetProperty("granularity").GetInt32(), first = reply.GetProperty("min_range").GetInt32(), last = reply.GetProperty("max_range").GetInt32();
        Assert.Equal((last - first + 1) * (1 << granularity) * 8, bytes.Length);
        var found = new List<(ulong, ulong, ulong)>();
        for (int i = 0; i < bytes.Length / 8; i++)
        {
            ulong count = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(i * 8));
            int range = first + (i >> granularity);
            ulong index = (ulong)i & ((1UL << granularity) - 1), width = range == 0 ? 1 : 1UL << (range - 1), start = range == 0 ? index : (1UL << (range + granularity - 1)) + index * width;
            if (count > 0) found.Add((start, start + width, count));
        }
        return found;
    }

    [Fact]
    public async Task A_histogram_is_turned_on_read_and_saved()
    {
        var off = await FailAsync("bdev_get_histogram", "{\"name\":\"M0\"}");
        Assert.Equal(-32603, off.Code);
        Assert.StartsWith("Bad address", off.Message);
        Assert.True((await CallAsync("bdev_enable_histogram", "{\"name\":\"M0\",\"enable\":true}")).GetBoolean());
        Assert.Equal(["bdev_enable_histogram {\"name\":\"M0\",\"enable\":true}"], await SavedAsync());
        await ReadAsync(20);
        var reply = await CallAsync("bdev_get_histogram", "{\"name\":\"M0\"}");
        Assert.Equal(["histogram", "granularity", "min_range", "max_range", "tsc_rate"], Members(reply));
        Assert.Equal(Stopwatch.Frequency, reply.GetProperty("tsc_rate").GetInt64());
        var buckets = Decode(reply);
        Assert.Equal(20UL, buckets.Aggregate(0UL, (sum, b) => sum + b.Count));
        // The longest that the counters know is in the last bucket there is something in, and the shortest in the first.
        var counters = (await CallAsync("bdev_get_iostat", "{\"names\":[\"M0\"]}")).GetProperty("bdevs")[0];
        ulong longest = counters.GetProperty("max_read_latency_ticks").GetUInt64();
        Assert.True(longest < buckets[^1].To, $"{longest} is not below {buckets[^1].To}");

        await CallAsync("bdev_enable_histogram", "{\"name\":\"M0\",\"enable\":true,\"opc\":\"write_zeroes\",\"granularity\":3,\"min_nsec\":1024,\"max_nsec\":4096}");
        await ReadAsync(1);
        reply = await CallAsync("bdev_get_histogram", "{\"name\":\"M0\"}");
        Assert.Equal((3, 8, 9), (reply.GetProperty("granularity").GetInt32(), reply.GetProperty("min_range").GetInt32(), reply.GetProperty("max_range").GetInt32()));
        Assert.Empty(Decode(reply));
        Assert.Equal(["bdev_enable_histogram {\"name\":\"M0\",\"enable\":true,\"opc\":\"write_zeroes\",\"granularity\":3,\"min_nsec\":1024,\"max_nsec\":4096}"], await SavedAsync());
        Assert.True((await CallAsync("bdev_enable_histogram", "{\"name\":\"M0\",\"enable\":false}")).GetBoolean());
        Assert.Empty(await SavedAsync());
    }

    [Fact]
    public async Task Histograms_that_make_no_sense_are_refused()
    {
        Assert.Equal(-32603, (await FailAsync("bdev_enable_histogram", "{\"name\":\"M0\"}")).Code);
        Assert.Equal(-19, (await FailAsync("bdev_enable_histogram", "{\"name\":\"nope\",\"enable\":true}")).Code);
        var (code, message) = await FailAsync("bdev_enable_histogram", "{\"name\":\"M0\",\"enable\":true,\"opc\":\"peek\"}");
        Assert.Equal(-32603, code);
        Assert.StartsWith("Invalid Io type", message);
        Assert.Equal(-32603, (await FailAsync("bdev_enable_histogram", "{\"name\":\"M0\",\"enable\":true,\"granularity\":256}")).Code);
        Assert.Equal(-22, (await FailAsync("bdev_enable_histogram", "{\"name\":\"M0\",\"enable\":true,\"granularity\":13}")).Code);
        Assert.Equal(-22, (await FailAsync("bdev_enable_histogram", "{\"name\":\"M0\",\"enable\":true,\"max_nsec\":1000}")).Code);
        Assert.Equal(-32603, (await FailAsync("bdev_get_histogram")).Code);
        Assert.Equal(-19, (await FailAsync("bdev_get_histogram", "{\"name\":\"nope\"}")).Code);
    }

    [Fact]
    public async Task Errors_are_counted_by_status_and_each_mode_resets_its_own()
    {
        var statuses = new Queue<BdevIoStatus>([BdevIoStatus.Failed, BdevIoStatus.Aborted, BdevIoStatus.Aborted, BdevIoStatus.NvmeError]);
        await _methods.AddAsync(new MemoryBdev("E0") { Intercept = io =>
        {
            if (!statuses.TryDequeue(out var status)) return false;
            io.Complete(io.Generation, status);
            return true;
        } });
        await _methods.Host.RunAsync(async () =>
        {
            var descriptor = _methods.Host.Bdevs.Open("E0", true, static (_, _, _) => { });
            var channel = descriptor.GetChannel();
            using (var buffer = _methods.Host.Environment.Memory.Allocate(4096))
                for (int i = 0; i < 6; i++) await channel.ReadAsync([buffer.Slice(0, 512)], 0, 1);
            channel.Put();
            descriptor.Close();
        });
        async Task<JsonElement> GetAsync(string mode) => (await CallAsync("bdev_get_iostat", $"{{\"names\":[\"E0\"],\"reset_mode\":\"{mode}\"}}")).GetProperty("bdevs")[0];
        var all = await GetAsync("error");
        Assert.Equal("{\"failed\":1,\"nvme_error\":1,\"aborted\":2}", all.GetProperty("io_error").GetRawText());
        Assert.Equal(2, all.GetProperty("num_read_ops").GetInt32());
        var noErrors = await GetAsync("maxmin");
        Assert.Equal("{}", noErrors.GetProperty("io_error").GetRawText());
        Assert.Equal(2, noErrors.GetProperty("num_read_ops").GetInt32());
        var noExtremes = await GetAsync("none");
        Assert.Equal(0, noExtremes.GetProperty("max_read_latency_ticks").GetInt64());
        Assert.Equal(2, noExtremes.GetProperty("num_read_ops").GetInt32());
        Assert.True((await CallAsync("bdev_reset_iostat", "{\"name\":\"E0\"}")).GetBoolean());
        Assert.Equal(0, (await GetAsync("none")).GetProperty("num_read_ops").GetInt32());
    }

    [Fact]
    public async Task Counters_of_each_channel_are_shown_and_reset_in_one_visit()
    {
        await _methods.Host.RunOnAsync(1, async thread =>
        {
            var descriptor = _methods.Host.Bdevs.Open("M0", true, static (_, _, _) => { });
            var channel = descriptor.GetChannel();
            using (var buffer = _methods.Host.Environment.Memory.Allocate(4096))
            {
                await channel.ReadAsync([buffer.Slice(0, 512)], 0, 1);
                var first = await CallAsync("bdev_get_iostat", "{\"names\":[\"M0\"],\"per_channel\":true,\"reset_mode\":\"all\"}");
                var one = Assert.Single(first.GetProperty("channels").EnumerateArray());
                Assert.Equal((thread.Id, 1), (one.GetProperty("thread_id").GetUInt64(), one.GetProperty("num_read_ops").GetInt32()));
                var second = await CallAsync("bdev_get_iostat", "{\"names\":[\"M0\"],\"per_channel\":true}");
                Assert.Equal(0, second.GetProperty("channels")[0].GetProperty("num_read_ops").GetInt32());
            }
            channel.Put();
            descriptor.Close();
        });
    }

    [Fact]
    public async Task The_queue_depth_is_looked_at_while_it_is_asked_for()
    {
        Assert.True((await CallAsync("bdev_set_qd_sampling_period", "{\"name\":\"M0\",\"period\":1000}")).GetBoolean());
        Assert.Equal(["bdev_set_qd_sampling_period {\"name\":\"M0\",\"period\":1000}"], await SavedAsync());
        JsonElement counters = default;
        for (int i = 0; i < 1000; i++)
        {
            counters = (await CallAsync("bdev_get_iostat", "{\"names\":[\"M0\"]}")).GetProperty("bdevs")[0];
            Assert.Equal(["io_error", "queue_depth_polling_period", "queue_depth", "io_time", "weighted_io_time"], Members(counters)[^5..]);
            if (counters.GetProperty("queue_depth").GetUInt64() == 0) break;
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }
        Assert.Equal((1000UL, 0UL, 0UL), (counters.GetProperty("queue_depth_polling_period").GetUInt64(), counters.GetProperty("queue_depth").GetUInt64(), counters.GetProperty("io_time").GetUInt64()));
        Assert.True((await CallAsync("bdev_set_qd_sampling_period", "{\"name\":\"M0\",\"period\":0}")).GetBoolean());
        Assert.Equal("io_error", Members((await CallAsync("bdev_get_iostat", "{\"names\":[\"M0\"]}")).GetProperty("bdevs")[0])[^1]);
        Assert.Empty(await SavedAsync());
        Assert.Equal(-19, (await FailAsync("bdev_set_qd_sampling_period", "{\"name\":\"nope\",\"period\":1}")).Code);
        Assert.Equal(-32603, (await FailAsync("bdev_set_qd_sampling_period", "{\"name\":\"M0\"}")).Code);
        var (code, message) = await FailAsync("bdev_set_qd_sampling_period", "{\"name\":\"M0\",\"period\":18446744073709551615}");
        Assert.Equal(-22, code);
        Assert.Contains("period", message);
    }

    [Fact]
    public async Task What_is_done_about_stuck_io_is_said_for_a_bdev_and_saved()
    {
        Assert.True((await CallAsync("bdev_set_io_timeout", "{\"name\":\"M0\",\"timeout_ms\":1500,\"action\":\"abort\"}")).GetBoolean());
        Assert.Equal(["bdev_set_io_timeout {\"name\":\"M0\",\"timeout_ms\":1500,\"action\":\"abort\"}"], await SavedAsync());
        await CallAsync("bdev_set_io_timeout", "{\"name\":\"M0\",\"action\":\"none\"}");
        Assert.Equal(["bdev_set_io_timeout {\"name\":\"M0\",\"action\":\"none\"}"], await SavedAsync());
        await CallAsync("bdev_set_io_timeout", "{\"name\":\"M0\"}");
        Assert.Empty(await SavedAsync());
        Assert.Equal(-19, (await FailAsync("bdev_set_io_timeout", "{\"name\":\"nope\"}")).Code);
        Assert.Equal(-32603, (await FailAsync("bdev_set_io_timeout", "{\"name\":\"M0\",\"action\":\"explode\"}")).Code);
        var (code, message) = await FailAsync("bdev_set_io_timeout", "{\"name\":\"M0\",\"timeout_ms\":3600001}");
        Assert.Equal(-22, code);
        Assert.Contains("timeout_ms", message);
    }

    private sealed class Upper : Bdev
    {
        public Upper(string name, params string[] bases) : base(name, "Upper disk", 512, 2048) => BaseBdevNames = bases;

        public override bool Supports(BdevIoType type) => type is BdevIoType.Read;
        protected override Spindle.Threading.IoChannel CreateChannel(Spindle.Threading.IStorageThread thread) => throw new SpindleException(Errno.EIO, "");
        public override void Submit(Spindle.Threading.IoChannel channel, BdevIo io) { }
    }

    [Fact]
    public async Task Stacks_are_shown_as_trees()
    {
        await _methods.AddAsync(new MemoryBdev("M1", blockSize: 4096, blocks: 3));
        await _methods.AddAsync(new Upper("Mirror", "M0", "M1", "Lost"));
        await _methods.AddAsync(new Upper("Part0", "Mirror"));
        await _methods.AddAsync(new Upper("Part1", "Mirror"));
        await _methods.AddAsync(new MemoryBdev("Alone"));
        IBdevDescriptor claim = null!, reader = null!;
        await _methods.Host.RunAsync(() =>
        {
            claim = _methods.Host.Registry.ForModule("mirror").Open("M0", false, static (_, _, _) => { });
            _methods.Host.Registry.ForModule("mirror").Claim(claim, BdevClaimType.ExclusiveWrite);
            reader = _methods.Host.Registry.ForModule("front").Open("Part1", false, static (_, _, _) => { });
            reader.Purpose = "namespace 3";
            return Task.CompletedTask;
        });
        var all = await CallAsync("bdev_get_stack");
        Assert.Equal(["Part0", "Part1", "Alone"], all.GetProperty("stacks").EnumerateArray().Select(s => s.GetProperty("name").GetString()));
        var one = await CallAsync("bdev_get_stack", "{\"name\":\"M1\"}");
        Assert.Equal("""
            Part0  Upper disk, 1 MiB (2048 × 512 B), module test
            └─ Mirror  Upper disk, 1 MiB (2048 × 512 B), module test
               ├─ M0  Memory disk, 512 KiB (1024 × 512 B), module test, claimed exclusive_write
               │       open by mirror for writing, with the claim
               ├─ M1 *  Memory disk, 12 KiB (3 × 4096 B), module test
               └─ Lost  is not there
            Part1  Upper disk, 1 MiB (2048 × 512 B), module test
            │    open by front for reading: namespace 3
            └─ Mirror  Upper disk, 1 MiB (2048 × 512 B), module test
               ├─ M0  Memory disk, 512 KiB (1024 × 512 B), module test, claimed exclusive_write
               │       open by mirror for writing, with the claim
               ├─ M1 *  Memory disk, 12 KiB (3 × 4096 B), module test
               └─ Lost  is not there

            """, StackCommand.Format(one), ignoreLineEndingDifferences: true);
        Assert.Equal(-19, (await FailAsync("bdev_get_stack", "{\"name\":\"nope\"}")).Code);
        await _methods.Host.RunAsync(() =>
        {
            claim.Close();
            reader.Close();
            return Task.CompletedTask;
        });
    }

    [Fact]
    public async Task Names_that_go_round_in_a_circle_end()
    {
        await _methods.AddAsync(new Upper("A", "B"));
        await _methods.AddAsync(new Upper("B", "A"));
        await _methods.AddAsync(new Upper("Top", "A"));
        var top = Assert.Single((await CallAsync("bdev_get_stack", "{\"name\":\"Top\"}")).GetProperty("stacks").EnumerateArray());
        Assert.Equal("A", top.GetProperty("bases")[0].GetProperty("name").GetString());
    }
}
