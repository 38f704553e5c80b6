using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Memory;
using Spindle.Threading;
using Spindle.UnitTests.Support;

namespace Spindle.UnitTests.Bdevs;

public sealed class BdevQueueTests : IDisposable
{
    private readonly DmaBuffer _memory = new TestMemory().Allocate(4 << 20);

    public void Dispose() => _memory.Dispose();

    private async Task OnAppAsync(MemoryBdev bdev, Func<BdevHost, IBdevChannel, Task> body)
    {
        await using var host = await BdevHost.StartAsync();
        await host.RunAsync(async () =>
        {
            host.Bdevs.Register(bdev);
            var descriptor = host.Bdevs.Open(bdev.Name, true, static (_, _, _) => { });
            var channel = descriptor.GetChannel();
            try
            {
                await body(host, channel);
            }
            finally
            {
                channel.Put();
                descriptor.Close();
            }
        });
    }

    private IoVec Vec(nuint offset, uint length) => _memory.Slice(offset, length);

    [Fact]
    public Task Writes_are_read_back() => OnAppAsync(new MemoryBdev("m"), async (_, channel) =>
    {
        new Random(1).NextBytes(Vec(0, 4096).Span);
        Assert.True((await channel.WriteAsync([Vec(0, 1024), Vec(1024, 3072)], 8, 8)).IsSuccess);
        Assert.True((await channel.ReadAsync([Vec(8192, 4096)], 8, 8)).IsSuccess);
        Assert.True(Vec(0, 4096).Span.SequenceEqual(Vec(8192, 4096).Span));
    });

    [Theory]
    [InlineData(0ul, 0ul, 512u, Errno.EINVAL)]
    [InlineData(1024ul, 1ul, 512u, Errno.EINVAL)]
    [InlineData(1023ul, 2ul, 1024u, Errno.EINVAL)]
    [InlineData(ulong.MaxValue, 2ul, 1024u, Errno.EINVAL)]
    [InlineData(2ul, ulong.MaxValue, 1024u, Errno.EINVAL)]
    [InlineData(0ul, 2ul, 512u, Errno.EINVAL)]
    [InlineData(0ul, 1ul, 1024u, Errno.EINVAL)]
    public Task What_does_not_fit_is_refused(ulong offset, ulong blocks, uint length, int errno) => OnAppAsync(new MemoryBdev("m"), (_, channel) =>
    {
        Assert.Equal(-errno, channel.Read([Vec(0, length)], offset, blocks, static (object? _, in BdevIoResult _) => Assert.Fail("called"), null));
        Assert.Equal(-errno, channel.Write([Vec(0, length)], offset, blocks, static (object? _, in BdevIoResult _) => Assert.Fail("called"), null));
        return Task.CompletedTask;
    });

    [Fact]
    public Task A_descriptor_for_reading_does_not_write() => OnAppAsync(new MemoryBdev("m"), (host, _) =>
    {
        var descriptor = host.Bdevs.Open("m", false, static (_, _, _) => { });
        var channel = descriptor.GetChannel();
        Assert.Equal(-Errno.EBADF, channel.Write([Vec(0, 512)], 0, 1, static (object? _, in BdevIoResult _) => { }, null));
        channel.Put();
        descriptor.Close();
        return Task.CompletedTask;
    });

    [Fact]
    public Task A_callback_that_submits_again_never_grows_the_stack() => OnAppAsync(new MemoryBdev("m"), async (_, channel) =>
    {
        var chain = new Chain { Channel = channel, Buffer = Vec(0, 512), Left = 100_000 };
        Chain.Step(chain, BdevIoResult.Of(BdevIoStatus.Success));
        await chain.Done.Task;
        Assert.InRange(chain.Deepest, 0, 4096);
    });

    private sealed class Chain
    {
        public IBdevChannel Channel = null!;
        public IoVec Buffer;
        public int Left;
        public long Base, Deepest;
        public readonly TaskCompletionSource Done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public static unsafe void Step(object? state, in BdevIoResult result)
        {
            var chain = (Chain)state!;
            byte here;
            long depth = (long)&here;
            if (chain.Left < 100_000 && chain.Base == 0) chain.Base = depth;
            if (chain.Base != 0) chain.Deepest = Math.Max(chain.Deepest, Math.Abs(chain.Base - depth));
            if (!result.IsSuccess || chain.Left-- == 0) chain.Done.SetResult();
            else if (chain.Channel.Read([chain.Buffer], 0, 1, Step, chain) != 0) chain.Done.SetException(new InvalidOperationException());
        }
    }

    [Fact]
    public Task A_callback_never_runs_inside_the_submission() => OnAppAsync(new MemoryBdev("m"), async (_, channel) =>
    {
        bool called = false;
        var done = new TaskCompletionSource();
        Assert.Equal(0, channel.Read([Vec(0, 512)], 0, 1, (object? _, in BdevIoResult _) => { called = true; done.SetResult(); }, null));
        Assert.False(called);
        await done.Task;
    });

    [Fact]
    public Task A_channel_is_flushed_once_after_a_batch_and_when_asked()
    {
        var bdev = new MemoryBdev("m");
        return OnAppAsync(bdev, async (_, channel) =>
        {
            var batch = Enumerable.Range(0, 10).Select(i => channel.ReadAsync([Vec((nuint)i * 512, 512)], (ulong)i, 1)).ToArray();
            Assert.Empty(bdev.Flushes);
            await Task.WhenAll(batch);
            Assert.Equal([10], bdev.Flushes);
            var last = channel.ReadAsync([Vec(0, 512)], 0, 1);
            channel.Flush();
            Assert.Equal([10, 11], bdev.Flushes);
            await last;
            Assert.Equal([10, 11], bdev.Flushes);
        });
    }

    [Fact]
    public Task A_second_completion_is_refused_and_harms_no_other_I_O()
    {
        var bdev = new MemoryBdev("m");
        BdevIo? kept = null;
        uint generation = 0;
        bdev.Intercept = io =>
        {
            if (kept is null) (kept, generation) = (io, io.Generation);
            return true;
        };
        return OnAppAsync(bdev, async (host, channel) =>
        {
            var first = channel.ReadAsync([Vec(0, 512)], 0, 1);
            kept!.Complete(generation, BdevIoStatus.Success);
            Assert.True((await first).IsSuccess);
            // The same pooled object carries the next I/O; the late completion names the old one.
            BdevIo? second = null;
            bdev.Intercept = io => { second = io; return true; };
            var next = channel.ReadAsync([Vec(0, 512)], 1, 1);
            Assert.Same(kept, second);
            kept.Complete(generation, BdevIoStatus.Failed);
            await Task.Delay(5);
            Assert.False(next.IsCompleted);
            second!.Complete(second.Generation, BdevIoStatus.Success);
            Assert.True((await next).IsSuccess);
            Assert.Single(host.Faults, f => f.Module == "test" && f.Bdev == "m" && f.Where.Contains("second time"));
            Assert.Equal(1ul, (await host.Registry.GetStatisticsAsync(bdev)).BadCompletions);
        });
    }

    [Fact]
    public Task A_completion_on_the_wrong_thread_is_charged_and_ends_its_I_O_on_the_right_one()
    {
        var bdev = new MemoryBdev("m") { Intercept = io => { uint g = io.Generation; Task.Run(() => io.Complete(g, BdevIoStatus.Success)); return true; } };
        return OnAppAsync(bdev, async (host, channel) =>
        {
            IStorageThread? where = null;
            var done = new TaskCompletionSource<BdevIoResult>();
            channel.Read([Vec(0, 512)], 0, 1, (object? _, in BdevIoResult r) => { where = StorageThread.Current; done.SetResult(r); }, null);
            Assert.True((await done.Task).IsSuccess);
            Assert.Same(host.Threads.AppThread, where);
            Assert.Contains(host.Faults, f => f.Where.Contains("wrong thread"));
        });
    }

    [Fact]
    public Task A_throwing_submit_fails_that_I_O_and_names_the_module()
    {
        var bdev = new MemoryBdev("m") { Intercept = io => io.OffsetBlocks == 1 ? throw new InvalidOperationException("boom") : false };
        return OnAppAsync(bdev, async (host, channel) =>
        {
            var bad = channel.ReadAsync([Vec(0, 512)], 1, 1);
            var good = channel.ReadAsync([Vec(512, 512)], 2, 1);
            Assert.Equal(BdevIoStatus.Failed, (await bad).Status);
            Assert.True((await good).IsSuccess);
            Assert.Contains(host.Faults, f => f.Module == "test" && f.Text.Contains("boom"));
        });
    }

    [Fact]
    public Task I_O_that_finds_no_memory_waits_and_keeps_its_order()
    {
        int room = 2;
        var held = new Queue<(BdevIo, uint)>();
        var order = new List<ulong>();
        var bdev = new MemoryBdev("m");
        bdev.Intercept = io =>
        {
            if (room == 0)
            {
                io.Complete(io.Generation, BdevIoStatus.NoMemory);
                return true;
            }
            room--;
            order.Add(io.OffsetBlocks);
            held.Enqueue((io, io.Generation));
            return true;
        };
        return OnAppAsync(bdev, async (host, channel) =>
        {
            var all = Enumerable.Range(0, 10).Select(i => channel.ReadAsync([Vec((nuint)i * 512, 512)], (ulong)i, 1)).ToArray();
            for (int i = 0; i < 2000 && !all.All(t => t.IsCompleted); i++)
            {
                if (held.TryDequeue(out var one))
                {
                    room++;
                    one.Item1.Complete(one.Item2, BdevIoStatus.Success);
                }
                await Task.Yield();
            }
            foreach (var io in all) Assert.True((await io.WaitAsync(TimeSpan.FromSeconds(5))).IsSuccess);
            Assert.Equal(Enumerable.Range(0, 10).Select(i => (ulong)i), order);
            Assert.True((await host.Registry.GetStatisticsAsync(bdev)).NoMemory > 0);
        });
    }

    [Theory]
    [InlineData(8u, 0u, 0, 0u, 1u)]
    [InlineData(0u, 8u, 0, 0u, 1u)]
    [InlineData(3u, 8u, 0, 0u, 1u)]
    [InlineData(0u, 0u, 2, 0u, 1u)]
    [InlineData(0u, 0u, 1, 700u, 1u)]
    [InlineData(0u, 0u, 3, 300u, 1u)]
    [InlineData(0u, 0u, 0, 0u, 512u)]
    [InlineData(5u, 16u, 2, 1536u, 64u)]
    public Task Limits_are_kept_and_no_byte_is_lost(uint maxRw, uint boundary, int maxSegments, uint maxSegmentSize, uint alignment)
    {
        var bdev = new MemoryBdev("m", 512, 2048, null, alignment, maxRw, boundary, maxSegments, maxSegmentSize);
        return OnAppAsync(bdev, async (_, channel) =>
        {
            int seed = Random.Shared.Next();
            var random = new Random(seed);
            byte[] model = new byte[2048 * 512];
            for (int round = 0; round < 200; round++)
            {
                ulong blocks = (ulong)random.Next(1, 300), offset = (ulong)random.Next(0, 2048 - (int)blocks);
                var vectors = Cut(random, (uint)(blocks * 512));
                bool write = random.Next(2) == 0;
                lock (bdev.Seen) bdev.Seen.Clear();
                if (write) foreach (var v in vectors) random.NextBytes(v.Span);
                var result = write ? await channel.WriteAsync(vectors, offset, blocks) : await channel.ReadAsync(vectors, offset, blocks);
                Assert.True(result.IsSuccess, $"seed {seed} round {round}");
                int at = (int)offset * 512;
                foreach (var v in vectors)
                {
                    if (write) v.Span.CopyTo(model.AsSpan(at));
                    else Assert.True(v.Span.SequenceEqual(model.AsSpan(at, (int)v.Length)), $"seed {seed} round {round}");
                    at += (int)v.Length;
                }
                Assert.Equal(blocks, bdev.Seen.Aggregate(0ul, (n, s) => n + s.Blocks));
                foreach (var seen in bdev.Seen)
                {
                    if (maxRw != 0) Assert.True(seen.Blocks <= maxRw);
                    if (maxSegments != 0) Assert.True(seen.Vectors <= maxSegments);
                    if (boundary != 0) Assert.True(seen.Offset / boundary == (seen.Offset + seen.Blocks - 1) / boundary);
                }
            }
            Assert.True(model.AsSpan().SequenceEqual(bdev.Data), $"seed {seed}");
        });
    }

    private IoVec[] Cut(Random random, uint length)
    {
        var vectors = new List<IoVec>();
        nuint at = (nuint)random.Next(0, 100);
        while (length > 0)
        {
            uint part = (uint)Math.Min(length, random.Next(4) == 0 ? random.Next(1, 200) : random.Next(1, 40) * 512);
            vectors.Add(Vec(at, part));
            at += part + (nuint)random.Next(0, 3) * 64;
            length -= part;
        }
        return [.. vectors];
    }

    [Fact]
    public Task What_the_bdev_lacks_is_emulated() => OnAppAsync(new MemoryBdev("m"), async (_, channel) =>
    {
        Vec(0, 1 << 20).Span.Fill(0xab);
        Assert.True((await channel.WriteAsync([Vec(0, 512 * 1024)], 0, 1024)).IsSuccess);
        Assert.True((await channel.IoAsync((c, cb, s) => c.WriteZeroes(10, 1000, cb, s))).IsSuccess);
        Assert.True((await channel.IoAsync((c, cb, s) => c.Copy(100, 0, 10, cb, s))).IsSuccess);
        Assert.True((await channel.ReadAsync([Vec(1 << 20, 512 * 1024)], 0, 1024)).IsSuccess);
        var data = Vec(1 << 20, 512 * 1024).Span;
        Assert.Equal(-1, data[..5120].IndexOfAnyExcept((byte)0xab));
        Assert.Equal(-1, data[5120..51200].IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, data[51200..56320].IndexOfAnyExcept((byte)0xab));
        Assert.Equal(-1, data[56320..(1010 * 512)].IndexOfAnyExcept((byte)0));
        Assert.True((await channel.IoAsync((c, cb, s) => c.Compare([Vec(0, 5120)], 0, 10, cb, s))).IsSuccess);
        Assert.Equal(BdevIoStatus.Miscompare, (await channel.IoAsync((c, cb, s) => c.Compare([Vec(0, 5632)], 0, 11, cb, s))).Status);
        Assert.Equal(-Errno.ENOTSUP, channel.Unmap(0, 1, static (object? _, in BdevIoResult _) => { }, null));
    });

    [Fact]
    public async Task Emulated_compare_and_write_is_atomic_across_threads()
    {
        await using var host = await BdevHost.StartAsync(2);
        var bdev = new MemoryBdev("m");
        await host.RunAsync(() => { host.Bdevs.Register(bdev); return Task.CompletedTask; });
        const int rounds = 300;
        int won = 0;
        async Task CountAsync(nuint at)
        {
            var descriptor = host.Bdevs.Open("m", true, static (_, _, _) => { });
            var channel = descriptor.GetChannel();
            for (int i = 0; i < rounds;)
            {
                Assert.True((await channel.ReadAsync([Vec(at, 512)], 5, 1)).IsSuccess);
                Vec(at, 512).Span.CopyTo(Vec(at + 512, 512).Span);
                BitConverter.TryWriteBytes(Vec(at + 512, 512).Span, BitConverter.ToInt32(Vec(at, 512).Span) + 1);
                var result = await channel.IoAsync((c, cb, s) => c.CompareAndWrite([Vec(at, 512)], [Vec(at + 512, 512)], 5, 1, cb, s));
                if (result.Status == BdevIoStatus.Miscompare) continue;
                Assert.True(result.IsSuccess);
                Interlocked.Increment(ref won);
                i++;
            }
            channel.Put();
            descriptor.Close();
        }
        await Task.WhenAll(host.RunOnAsync(0, _ => CountAsync(0)), host.RunOnAsync(1, _ => CountAsync(4096)));
        Assert.Equal(2 * rounds, won);
        Assert.Equal(2 * rounds, BitConverter.ToInt32(bdev.Data, 5 * 512));
    }

    [Fact]
    public Task Abort_ends_what_waits_and_asks_the_module_for_the_rest()
    {
        BdevIo? target = null;
        uint generation = 0;
        var bdev = new MemoryBdev("m", types: [BdevIoType.Read, BdevIoType.Write, BdevIoType.Abort]);
        bdev.Intercept = io =>
        {
            if (io.Type == BdevIoType.Abort)
            {
                Assert.Same(target, io.AbortTarget);
                Assert.Equal(generation, io.AbortGeneration);
                target!.Complete(generation, BdevIoStatus.Aborted);
                return false;
            }
            (target, generation) = (io, io.Generation);
            return true;
        };
        return OnAppAsync(bdev, async (_, channel) =>
        {
            var token = new object();
            var first = new TaskCompletionSource<BdevIoResult>();
            Assert.Equal(0, channel.Read([Vec(0, 512)], 0, 1, (object? _, in BdevIoResult r) => first.SetResult(r), token));
            var abort = await channel.IoAsync((c, cb, s) => c.Abort(token, cb, s));
            Assert.True(abort.IsSuccess);
            Assert.Equal(BdevIoStatus.Aborted, (await first.Task).Status);
        });
    }

    [Fact]
    public Task An_abort_of_a_split_or_copied_I_O_ends_when_that_has()
    {
        BdevIo? held = null;
        uint generation = 0;
        var bdev = new MemoryBdev("m", alignment: 512, maxRwBlocks: 1) { Intercept = io => { (held, generation) = (io, io.Generation); return true; } };
        return OnAppAsync(bdev, async (_, channel) =>
        {
            var token = new object();
            var io = new TaskCompletionSource<BdevIoResult>();
            bool ended = false;
            // Unaligned, so each piece goes through a buffer of the host's.
            Assert.Equal(0, channel.Write([Vec(7, 512)], 3, 1, (object? _, in BdevIoResult r) => { ended = true; io.SetResult(r); }, token));
            var abort = channel.IoAsync((c, cb, s) => c.Abort(token, cb, s));
            await Task.Delay(20);
            Assert.False(abort.IsCompleted);
            held!.Complete(generation, BdevIoStatus.Success);
            Assert.True((await abort).IsSuccess);
            Assert.True(ended);
            Assert.Equal(BdevIoStatus.Aborted, (await io.Task).Status);
        });
    }

    [Fact]
    public Task An_emulated_compare_and_write_is_not_aborted_half_way()
    {
        BdevIo? held = null;
        uint generation = 0;
        var bdev = new MemoryBdev("m");
        bdev.Intercept = io =>
        {
            if (held is not null) return false;
            (held, generation) = (io, io.Generation);
            return true;
        };
        return OnAppAsync(bdev, async (_, channel) =>
        {
            var token = new object();
            var io = new TaskCompletionSource<BdevIoResult>();
            Vec(0, 1024).Span.Clear();
            Assert.Equal(0, channel.CompareAndWrite([Vec(0, 512)], [Vec(512, 512)], 3, 1, (object? _, in BdevIoResult r) => io.SetResult(r), token));
            while (held is null) await Task.Yield();
            Assert.Equal(BdevIoStatus.Failed, (await channel.IoAsync((c, cb, s) => c.Abort(token, cb, s))).Status);
            bdev.Carry(held);
            held.Complete(generation, BdevIoStatus.Success);
            Assert.True((await io.Task).IsSuccess);
        });
    }

    [Fact]
    public Task Reset_holds_new_I_O_and_has_the_device_end_the_old()
    {
        var held = new List<(BdevIo, uint)>();
        var bdev = new MemoryBdev("m", types: [BdevIoType.Read, BdevIoType.Write, BdevIoType.Reset]);
        bool resetting = false;
        bdev.Intercept = io =>
        {
            if (io.Type == BdevIoType.Reset)
            {
                foreach (var (old, generation) in held) old.Complete(generation, BdevIoStatus.Aborted);
                resetting = true;
                return false;
            }
            if (resetting) return false;
            held.Add((io, io.Generation));
            return true;
        };
        return OnAppAsync(bdev, async (_, channel) =>
        {
            var old = channel.ReadAsync([Vec(0, 512)], 0, 1);
            var reset = channel.IoAsync((c, cb, s) => c.Reset(cb, s));
            Assert.True((await reset).IsSuccess);
            Assert.Equal(BdevIoStatus.Aborted, (await old).Status);
            Assert.True((await channel.ReadAsync([Vec(0, 512)], 0, 1)).IsSuccess);
        });
    }

    [Fact]
    public Task An_empty_pool_refuses_and_calls_those_who_wait()
    {
        var held = new Queue<(BdevIo, uint)>();
        var bdev = new MemoryBdev("m") { Intercept = io => { held.Enqueue((io, io.Generation)); return true; } };
        return OnAppAsync(bdev, async (host, channel) =>
        {
            int refused = 0, ended = 0;
            var available = new TaskCompletionSource();
            for (int i = 0; i < 100 && refused == 0; i++)
                refused = channel.Read([Vec(0, 512)], 0, 1, (object? _, in BdevIoResult _) => ended++, null);
            Assert.Equal(-Errno.ENOMEM, refused);
            Assert.Equal(16, held.Count);
            Assert.Equal(0, channel.QueueIoWait(new Waiter(available)));
            while (held.TryDequeue(out var one)) one.Item1.Complete(one.Item2, BdevIoStatus.Success);
            await available.Task.WaitAsync(TimeSpan.FromSeconds(5));
            Assert.Equal(16, ended);
        }, poolSize: 16);
    }

    private async Task OnAppAsync(MemoryBdev bdev, Func<BdevHost, IBdevChannel, Task> body, int poolSize)
    {
        await OnAppAsync(bdev, async (host, _) =>
        {
            host.Registry.Options = new BdevOptions { IoPoolSize = poolSize };
            var descriptor = host.Bdevs.Open(bdev.Name, true, static (_, _, _) => { });
            var channel = descriptor.GetChannel();
            await body(host, channel);
            channel.Put();
            descriptor.Close();
        });
    }

    private sealed class Waiter(TaskCompletionSource done) : BdevIoWait
    {
        protected override void OnAvailable() => done.TrySetResult();
    }
}
