using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Faults;

/// <summary>Modules that break the rules of completion: it is detected and counted, each I/O still ends exactly once, and no other one is harmed.</summary>
public sealed class MisbehavingModuleTests : TestBdevTest
{
    public MisbehavingModuleTests(ContractHost host) : base(host) => ExpectsFaults = true;

    private async Task AssertDetectedAsync(TestBdev bdev, string what)
    {
        Assert.Contains(Host.TakeFaults(), fault => fault.Bdev == bdev.Name && fault.Where.Contains(what, StringComparison.Ordinal));
        Assert.True((await StatisticsAsync(bdev)).BadCompletions > 0);
    }

    [Fact]
    public async Task Completes_twice_inside_submit()
    {
        var bdev = await RegisterAsync();
        bdev.OnSubmit = (self, io) =>
        {
            uint generation = io.Generation;
            self.CarryOut(io);
            io.Complete(generation, BdevIoStatus.Failed);
        };
        await ExerciseAsync(bdev);
        await AssertDetectedAsync(bdev, "second time");
    }

    [Fact]
    public async Task Completes_again_when_the_object_is_in_use_by_another_io()
    {
        var bdev = await RegisterAsync();
        var old = new Queue<(BdevIo Io, uint Generation)>();
        bdev.OnSubmit = (self, io) =>
        {
            uint generation = io.Generation;
            io.Channel.Thread.Send(_ =>
            {
                io.Complete(generation, self.Transfer(io));
                lock (old)
                {
                    old.Enqueue((io, generation));
                    if (old.Count < 8) return;
                    var (late, lateGeneration) = old.Dequeue();
                    if (late.Channel.Thread.IsCurrent) late.Complete(lateGeneration, BdevIoStatus.Failed);
                }
            }, null);
        };
        await ExerciseAsync(bdev);
        await AssertDetectedAsync(bdev, "too late");
    }

    [Fact]
    public async Task Completes_an_io_with_the_generation_of_another_use()
    {
        var bdev = await RegisterAsync();
        bdev.OnSubmit = (self, io) =>
        {
            uint generation = io.Generation;
            foreach (uint wrong in new[] { 0u, generation - 1, generation + 1, uint.MaxValue })
                if (wrong != generation) io.Complete(wrong, BdevIoStatus.Failed);
            self.CarryOut(io);
        };
        await ExerciseAsync(bdev, rounds: 5);
        await AssertDetectedAsync(bdev, "too late");
    }

    [Fact]
    public async Task Completes_on_the_wrong_thread()
    {
        var bdev = await RegisterAsync();
        bdev.OnSubmit = (self, io) =>
        {
            uint generation = io.Generation;
            if (Random.Shared.Next(4) == 0) ThreadPool.UnsafeQueueUserWorkItem(_ => io.Complete(generation, self.Transfer(io)), null);
            else if (Random.Shared.Next(4) == 0) Host.Workers[Random.Shared.Next(4)].Send(_ => io.Complete(generation, self.Transfer(io)), null);
            else self.CarryOut(io);
        };
        await ExerciseAsync(bdev);
        await AssertDetectedAsync(bdev, "wrong thread");
    }

    [Fact]
    public async Task Completes_on_two_threads_at_once()
    {
        var bdev = await RegisterAsync();
        bdev.OnSubmit = (self, io) =>
        {
            uint generation = io.Generation;
            var status = self.Transfer(io);
            ThreadPool.UnsafeQueueUserWorkItem(_ => io.Complete(generation, status), null);
            io.Channel.Thread.Send(_ => io.Complete(generation, status), null);
        };
        await ExerciseAsync(bdev);
        await AssertDetectedAsync(bdev, "wrong thread");
    }

    [Fact]
    public async Task Throws_out_of_submit()
    {
        var bdev = await RegisterAsync();
        int countdown = 0;
        bdev.OnSubmit = (self, io) =>
        {
            if (++countdown % 2 == 0) throw new InvalidOperationException("on purpose");
            self.CarryOut(io);
        };
        var client = await OpenAsync(bdev.Name);
        using var buffer = new TestBuffer(512);
        for (int i = 0; i < 10; i++)
        {
            Assert.True((await client.ReadAsync(buffer, 0, 1)).IsSuccess);
            var outcome = await client.ReadAsync(buffer, 0, 1).WaitAsync(TimeSpan.FromSeconds(10), Cancel);
            Assert.Equal(Errno.EIO, outcome.Result.ErrorNumber);
        }
        Assert.Contains(Host.TakeFaults(), fault => fault.Bdev == bdev.Name && fault.Text.Contains("on purpose", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Throws_after_completing()
    {
        var bdev = await RegisterAsync();
        bdev.OnSubmit = (self, io) =>
        {
            self.CarryOut(io);
            throw new InvalidOperationException("on purpose");
        };
        await ExerciseAsync(bdev, rounds: 3, depth: 4);
    }

    [Fact]
    public async Task Throws_out_of_flush_channel()
    {
        var bdev = await RegisterAsync();
        bdev.OnFlush = _ => throw new InvalidOperationException("on purpose");
        await ExerciseAsync(bdev, rounds: 3, depth: 4);
        Assert.Contains(Host.TakeFaults(), fault => fault.Bdev == bdev.Name && fault.Text.Contains("on purpose", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Never_completes_until_its_module_is_given_up()
    {
        string name = ContractHost.NewName("stuck"), module = ContractHost.NewName("stuck-module");
        var registry = Host.Bdevs.ForModule(module);
        var stuck = new List<(BdevIo Io, uint Generation)>();
        var bdev = new TestBdev(name)
        {
            OnSubmit = (_, io) =>
            {
                lock (stuck) stuck.Add((io, io.Generation));
            },
        };
        await Host.OnAppAsync(() => registry.Register(bdev));
        var client = await OpenAsync(name, closeWhenRemoved: true);
        using var buffer = new TestBuffer(512 * 8);
        var ios = Enumerable.Range(0, 8).Select(i => client.SubmitAsync((c, done, state) => c.Read([buffer.Vectors[0].Slice((uint)i * 512, 512)], (ulong)i, 1, done, state))).ToList();
        await Eventually.IsTrueAsync(() => { lock (stuck) return stuck.Count == 8; }, "the I/Os to be stuck");
        await Host.OnAppAsync(() => Host.Bdevs.RemoveAllOfAsync(module, TimeSpan.FromMilliseconds(100))).WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        foreach (var io in ios) Assert.Equal(Errno.EIO, (await io.WaitAsync(TimeSpan.FromSeconds(5), Cancel)).Result.ErrorNumber);
        Assert.Null(Host.Registry.Find(name));
        // What it completes now is refused.
        await client.OnThreadAsync(() => stuck.ForEach(s => s.Io.Complete(s.Generation, BdevIoStatus.Success)));
        Assert.Contains(Host.TakeFaults(), fault => fault.Bdev == name);
    }
}
