using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Rpc;

namespace Spindle.ContractTests.Modules.Error;

public sealed class ErrorTests(ContractHost host) : BdevTest(host)
{
    private async Task<BdevSubject> ErrorAsync()
    {
        var disk = await Subjects.MallocAsync(Host, new() { Name = Track(ContractHost.NewName("disk")), NumBlocks = 1024, BlockSize = 512 });
        var error = await Subjects.ErrorAsync(Host, disk);
        Track(error.Name);
        return error;
    }

    private Task InjectAsync(BdevSubject error, string ioType, string errorType, string more = "") => Host.Modules.Error.CallAsync("bdev_error_inject_error",
        $$"""{"name":"{{error.Name}}","io_type":"{{ioType}}","error_type":"{{errorType}}"{{(more.Length > 0 ? "," + more : "")}}}""");

    private static async Task<BdevIoStatus> StatusAsync(Task<Outcome> io) => (await io.WaitAsync(TimeSpan.FromSeconds(10), Cancel)).Status;

    [Fact]
    public async Task So_many_of_a_type_fail_and_no_other()
    {
        var error = await ErrorAsync();
        var client = await OpenAsync(error.Name);
        using var buffer = new TestBuffer(512);
        await InjectAsync(error, "read", "failure", "\"num\":2");
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.WriteAsync(buffer, 0, 1)));
        Assert.Equal(BdevIoStatus.Failed, await StatusAsync(client.ReadAsync(buffer, 0, 1)));
        Assert.Equal(BdevIoStatus.Failed, await StatusAsync(client.ReadAsync(buffer, 0, 1)));
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.ReadAsync(buffer, 0, 1)));
        await InjectAsync(error, "write", "failure");
        Assert.Equal(BdevIoStatus.Failed, await StatusAsync(client.WriteAsync(buffer, 0, 1)));
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.WriteAsync(buffer, 0, 1)));
        await InjectAsync(error, "unmap", "failure");
        Assert.Equal(BdevIoStatus.Failed, await StatusAsync(client.UnmapAsync(0, 1)));
        await InjectAsync(error, "flush", "failure");
        Assert.Equal(BdevIoStatus.Failed, await StatusAsync(client.FlushAsync(0, 1)));
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.FlushAsync(0, 1)));
    }

    [Fact]
    public async Task All_has_a_count_for_each_type_and_clear_ends_them()
    {
        var error = await ErrorAsync();
        var client = await OpenAsync(error.Name);
        using var buffer = new TestBuffer(512);
        await InjectAsync(error, "all", "failure");
        Assert.Equal(BdevIoStatus.Failed, await StatusAsync(client.ReadAsync(buffer, 0, 1)));
        Assert.Equal(BdevIoStatus.Failed, await StatusAsync(client.WriteAsync(buffer, 0, 1)));
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.ReadAsync(buffer, 0, 1)));
        await InjectAsync(error, "clear", "failure");
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.UnmapAsync(0, 1)));
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.FlushAsync(0, 1)));
    }

    [Fact]
    public async Task A_range_is_hit_by_whatever_touches_it_until_it_is_cleared()
    {
        var error = await ErrorAsync();
        var client = await OpenAsync(error.Name);
        using var buffer = new TestBuffer(8 * 512);
        await InjectAsync(error, "read", "failure", "\"num\":4294967295,\"offset_blocks\":100,\"num_blocks\":3");
        for (int round = 0; round < 2; round++)
        {
            Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.ReadAsync(buffer, 92, 8)));
            Assert.Equal(BdevIoStatus.Failed, await StatusAsync(client.ReadAsync(buffer, 93, 8)));
            Assert.Equal(BdevIoStatus.Failed, await StatusAsync(client.ReadAsync(buffer, 102, 8)));
            Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.ReadAsync(buffer, 103, 8)));
            Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.WriteAsync(buffer, 100, 8)));
        }
        await InjectAsync(error, "clear", "failure");
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.ReadAsync(buffer, 100, 8)));
        await InjectAsync(error, "write", "failure", "\"offset_blocks\":1020");
        Assert.Equal(BdevIoStatus.Failed, await StatusAsync(client.WriteAsync(buffer, 1016, 8)));
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.WriteAsync(buffer, 1016, 8)));
    }

    [Theory]
    [InlineData("\"num_blocks\":0", "num_blocks")]
    [InlineData("\"offset_blocks\":1024", "offset_blocks")]
    [InlineData("\"offset_blocks\":18446744073709551615", "offset_blocks")]
    public async Task A_range_without_a_block_is_refused_by_name(string range, string member)
    {
        var error = await ErrorAsync();
        var thrown = await Assert.ThrowsAsync<SpindleException>(() => InjectAsync(error, "read", "failure", range));
        Assert.Contains(member, thrown.Message);
    }

    [Fact]
    public async Task Media_events_reach_those_who_write_to_what_is_above()
    {
        var error = await ErrorAsync();
        var split = await Subjects.SplitAsync(Host, error, count: 2, part: 1);
        Track(split.Name);
        var delay = await Subjects.PassthruAsync(Host, await Subjects.DelayAsync(Host, split, average: 0, p99: 0));
        Track(delay.Below[^1]);
        Track(delay.Name);
        await using var client = await OpenAsync(delay.Name);
        string call = $$"""{"name":"{{error.Name}}","offset_blocks":510,"num_blocks":7}""";
        await Host.Modules.Error.CallAsync("bdev_error_inject_media_event", call);
        await Eventually.IsTrueAsync(() => { lock (client.Events) return client.Events.Contains(BdevEventType.MediaManagement); }, "the event");
        var events = new BdevMediaEvent[4];
        Assert.Equal(1, client.Descriptor.TakeMediaEvents(events));
        Assert.Equal(new BdevMediaEvent(0, 5), events[0]);
    }

    [Fact]
    public async Task Threads_share_the_count()
    {
        var error = await ErrorAsync();
        var clients = new List<BdevClient>();
        for (int worker = 0; worker < 4; worker++) clients.Add(await OpenAsync(error.Name, worker: worker));
        using var buffer = new TestBuffer(512);
        await InjectAsync(error, "read", "failure", "\"num\":100");
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 400).Select(i => clients[i % 4].ReadAsync(buffer, 0, 1)));
        Assert.Equal(100, outcomes.Count(o => o.Status == BdevIoStatus.Failed));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(511)]
    [InlineData(700)]
    [InlineData(1023)]
    public async Task One_byte_of_a_read_is_changed(int offset)
    {
        var error = await ErrorAsync();
        var client = await OpenAsync(error.Name);
        byte[] data = RandomBytes(new Random(offset), 1024);
        await client.WriteBytesAsync(4, data);
        await InjectAsync(error, "read", "corrupt_data", $"\"corrupt_offset\":{offset},\"corrupt_value\":129");
        byte[] read = await client.ReadBytesAsync(4, 2);
        data[offset] ^= 129;
        Assert.Equal(data, read);
        data[offset] ^= 129;
        Assert.Equal(data, await client.ReadBytesAsync(4, 2));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(299)]
    [InlineData(300)]
    [InlineData(301)]
    [InlineData(1023)]
    public async Task One_byte_of_a_write_is_changed_on_the_way_and_not_in_the_writers_buffer(int offset)
    {
        var error = await ErrorAsync();
        var client = await OpenAsync(error.Name);
        byte[] data = RandomBytes(new Random(offset), 1024);
        using var buffer = new TestBuffer([300, 1, 723]);
        buffer.Set(data);
        await InjectAsync(error, "write", "corrupt_data", $"\"corrupt_offset\":{offset},\"corrupt_value\":255");
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.WriteAsync(buffer, 4, 2)));
        Assert.Equal(data, buffer.ToArray());
        data[offset] ^= 255;
        Assert.Equal(data, await client.ReadBytesAsync(4, 2));
    }

    [Fact]
    public async Task An_io_that_does_not_reach_the_offset_is_left_alone()
    {
        var error = await ErrorAsync();
        var client = await OpenAsync(error.Name);
        byte[] data = RandomBytes(new Random(3), 512);
        await InjectAsync(error, "all", "corrupt_data", "\"num\":5,\"corrupt_offset\":18446744073709551615,\"corrupt_value\":1");
        await client.WriteBytesAsync(0, data);
        Assert.Equal(data, await client.ReadBytesAsync(0, 1));
    }

    [Theory]
    [InlineData("reset")]
    [InlineData("abort")]
    [InlineData("delete")]
    [InlineData("base removed")]
    public async Task A_held_io_hangs_until_something_ends_it(string what)
    {
        var error = await ErrorAsync();
        var client = await OpenAsync(error.Name, closeWhenRemoved: true);
        using var buffer = new TestBuffer(512);
        await InjectAsync(error, "read", "pending");
        object? target = null;
        var held = client.SubmitAsync((c, done, state) => c.Read(buffer.Vectors, 0, 1, done, target = state));
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.ReadAsync(buffer, 0, 1)));
        await Task.Delay(20, Cancel);
        Assert.False(held.IsCompleted);
        var ended = what switch
        {
            "reset" => client.ResetAsync(),
            "abort" => client.SubmitAsync((c, done, state) => c.Abort(target!, done, state)),
            "delete" => error.DeleteAsync!(),
            _ => Host.UnregisterAsync(error.Below[0]),
        };
        Assert.Equal(BdevIoStatus.Aborted, await StatusAsync(held));
        await ended.WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        if (what is "delete" or "base removed") Assert.Null(Host.Registry.Find(error.Name));
        else Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.ReadAsync(buffer, 0, 1)));
    }

    [Fact]
    public async Task A_shortage_of_memory_is_retried_by_the_host()
    {
        var error = await ErrorAsync();
        var client = await OpenAsync(error.Name);
        using var buffer = new TestBuffer(512);
        await InjectAsync(error, "write", "nomem", "\"num\":3");
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.WriteAsync(buffer, 0, 1)));
    }

    [Fact]
    public async Task An_injection_may_wait_for_a_queue_depth()
    {
        var error = await ErrorAsync();
        var client = await OpenAsync(error.Name);
        using var buffer = new TestBuffer(512);
        await InjectAsync(error, "read", "failure", "\"num\":1,\"queue_depth\":1");
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.ReadAsync(buffer, 0, 1)));
        Assert.Equal(BdevIoStatus.Success, await StatusAsync(client.ReadAsync(buffer, 0, 1)));
        // Two in one turn of the thread: the second finds the first at the base.
        Task<Outcome> first = null!, second = null!;
        await client.OnThreadAsync(() =>
        {
            first = client.ReadAsync(buffer, 0, 1);
            second = client.ReadAsync(buffer, 1, 1);
        });
        Assert.Equal([BdevIoStatus.Success, BdevIoStatus.Failed], new[] { await StatusAsync(first), await StatusAsync(second) }.Order().Reverse());
    }

    [Fact]
    public async Task What_makes_no_sense_is_refused()
    {
        var error = await ErrorAsync();
        Assert.Equal(Errno.EINVAL, (await Assert.ThrowsAsync<SpindleException>(() => InjectAsync(error, "read", "corrupt_data"))).Errno);
        Assert.Equal(Errno.ENODEV, (await Assert.ThrowsAsync<SpindleException>(() => InjectAsync(new BdevSubject(error.Below[0]), "read", "failure"))).Errno);
        await Assert.ThrowsAsync<RpcException>(() => InjectAsync(error, "compare", "failure"));
        await Assert.ThrowsAsync<RpcException>(() => InjectAsync(error, "read", "explode"));
        Assert.Equal(Errno.EEXIST, (await Assert.ThrowsAsync<SpindleException>(() => Subjects.ErrorAsync(Host, new BdevSubject(error.Below[0])))).Errno);
    }

    [Fact]
    public async Task It_is_saved_with_its_uuid_when_that_was_given()
    {
        var disk = await Subjects.MallocAsync(Host, new() { Name = Track(ContractHost.NewName("disk")), NumBlocks = 8, BlockSize = 512 });
        var uuid = Guid.NewGuid();
        await Host.Modules.Error.CallAsync("bdev_error_create", $$"""{"base_name":"{{disk.Name}}","uuid":"{{uuid}}"}""");
        Assert.Equal(uuid, Host.Registry.Find("EE_" + disk.Name)!.Uuid);
        Assert.Contains($"bdev_error_create base_name={disk.Name} uuid={uuid}", await Host.Modules.SavedAsync(Host.Modules.Error));
        await Host.Modules.Error.CallAsync("bdev_error_delete", $$"""{"name":"EE_{{disk.Name}}"}""");
    }
}
