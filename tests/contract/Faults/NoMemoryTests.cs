using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Faults;

/// <summary>A module that is short of memory: the host queues and submits again, and the submitter sees nothing of it.</summary>
public sealed class NoMemoryTests(ContractHost host) : TestBdevTest(host)
{
    private static void Refuse(BdevIo io) => io.Complete(io.Generation, BdevIoStatus.NoMemory);

    [Theory]
    [InlineData(10)]
    [InlineData(50)]
    [InlineData(95)]
    public async Task At_random_inside_submit(int percent)
    {
        var bdev = await RegisterAsync();
        bdev.OnSubmit = (self, io) =>
        {
            if (Random.Shared.Next(100) < percent) Refuse(io);
            else self.CarryOut(io);
        };
        await ExerciseAsync(bdev);
        Assert.True((await StatisticsAsync(bdev)).NoMemory > 0);
    }

    [Fact]
    public async Task When_completions_come_later()
    {
        var bdev = await RegisterAsync();
        bdev.OnSubmit = (self, io) =>
        {
            uint generation = io.Generation;
            int dice = Random.Shared.Next(100);
            if (dice < 20) Refuse(io);
            else if (dice < 40) io.Channel.Thread.Send(_ => io.Complete(generation, BdevIoStatus.NoMemory), null);
            else io.Channel.Thread.Send(_ => io.Complete(generation, self.Transfer(io)), null);
        };
        await ExerciseAsync(bdev);
    }

    [Fact]
    public async Task With_room_for_three_at_a_time()
    {
        var bdev = await RegisterAsync();
        int inside = 0, most = 0;
        bdev.OnSubmit = (self, io) =>
        {
            // Counted over all threads, as a device's queue would be.
            int now = Interlocked.Increment(ref inside);
            if (now > 3)
            {
                Interlocked.Decrement(ref inside);
                Refuse(io);
                return;
            }
            uint generation = io.Generation;
            // Not `inside` itself: others may have counted themselves in meanwhile, to be refused.
            for (int seen = Volatile.Read(ref most); now > seen;)
            {
                int found = Interlocked.CompareExchange(ref most, now, seen);
                if (found == seen) break;
                seen = found;
            }
            io.Channel.Thread.Send(_ =>
            {
                var status = self.Transfer(io);
                Interlocked.Decrement(ref inside);
                io.Complete(generation, status);
            }, null);
        };
        await ExerciseAsync(bdev, rounds: 10);
        Assert.InRange(most, 2, 3);
    }

    [Fact]
    public async Task When_nothing_is_outstanding_it_is_tried_again_until_it_works()
    {
        var bdev = await RegisterAsync();
        int refusals = 50;
        bdev.OnSubmit = (self, io) =>
        {
            if (refusals-- > 0) Refuse(io);
            else self.CarryOut(io);
        };
        var client = await OpenAsync(bdev.Name);
        byte[] data = RandomBytes(new Random(1), 512);
        await client.WriteBytesAsync(3, data).WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        Assert.Equal(data, await client.ReadBytesAsync(3, 1));
    }

    [Fact]
    public async Task What_waits_for_memory_can_be_aborted_and_reset()
    {
        var bdev = await RegisterAsync();
        bdev.OnSubmit = (_, io) => Refuse(io);
        var client = await OpenAsync(bdev.Name);
        using var buffer = new TestBuffer(512);
        object? target = null;
        var aborted = client.SubmitAsync((c, done, state) =>
        {
            target = state;
            return c.Read(buffer.Vectors, 0, 1, done, state);
        });
        await Task.Delay(10, Cancel);
        await client.SubmitAsync((c, done, state) => c.Abort(target!, done, state)).WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        Assert.Equal(BdevIoStatus.Aborted, (await aborted.WaitAsync(TimeSpan.FromSeconds(10), Cancel)).Status);
        var reset = client.ReadAsync(buffer, 0, 1);
        await Task.Delay(10, Cancel);
        Assert.True((await client.ResetAsync().WaitAsync(TimeSpan.FromSeconds(10), Cancel)).IsSuccess);
        Assert.Equal(BdevIoStatus.Aborted, (await reset.WaitAsync(TimeSpan.FromSeconds(10), Cancel)).Status);
    }
}
