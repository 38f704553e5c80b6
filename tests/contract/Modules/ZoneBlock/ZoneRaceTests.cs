using System.Buffers.Binary;
using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.ContractTests.Modules.ZoneBlock;

/// <summary>Appends and resets of several threads to one zone, over a disk that carries out its writes late and in no order.</summary>
public sealed class ZoneRaceTests(ContractHost host) : BdevTest(host)
{
    private const int Races = 40;
    private const int Rounds = 24;

    /// <summary>Carries out what it is told only after some turns of the thread, so that what is done too early above it shows.</summary>
    private sealed class LateDisk(string name, bool unmaps) : Spindle.Bdevs.Bdev(name, "Late disk", 512, 256)
    {
        private readonly byte[] _data = new byte[256 * 512];
        private int _count;

        public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write || (unmaps && type == BdevIoType.Unmap);

        protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

        public override void Submit(IoChannel channel, BdevIo io)
        {
            int turns = io.Type == BdevIoType.Read ? 0 : 1 + (Interlocked.Increment(ref _count) * 7 % 40);
            Later(channel, io, io.Generation, turns);
        }

        private void Later(IoChannel channel, BdevIo io, uint generation, int turns)
        {
            if (turns > 0)
            {
                channel.Thread.Send(_ => Later(channel, io, generation, turns - 1), null);
                return;
            }
            lock (_data)
            {
                var there = _data.AsSpan((int)io.OffsetBlocks * 512, (int)io.LengthBytes);
                if (io.Type == BdevIoType.Unmap) there.Clear();
                foreach (ref readonly var vector in io.Iovs)
                {
                    var part = there[..(int)vector.Length];
                    if (io.Type == BdevIoType.Read) part.CopyTo(vector.Span);
                    else vector.Span.CopyTo(part);
                    there = there[(int)vector.Length..];
                }
            }
            io.Complete(generation, BdevIoStatus.Success);
        }

        private sealed class Channel : IoChannel;
    }

    private int _next;
    private long _clock;
    private long _lastReset;

    private sealed record Append(uint Tag, ulong At, long Ended);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task No_block_of_before_a_reset_is_seen_after_it(bool unmaps)
    {
        string below = Track(ContractHost.NewName("late"));
        await Host.RegisterAsync(new LateDisk(below, unmaps));
        string name = Track((await Subjects.ZoneBlockAsync(Host, new BdevSubject(below), zoneCapacity: 16)).Name);
        var clients = new List<BdevClient>();
        for (int worker = 0; worker < 4; worker++) clients.Add(await OpenAsync(name, worker: worker));
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        for (int race = 0; race < Races; race++) await RaceAsync(clients, seed + (race * 100));
    }

    private async Task RaceAsync(List<BdevClient> clients, int seed)
    {
        // What the zone holds now was looked at.
        Assert.True((await clients[0].ZoneManagementAsync(0, BdevZoneAction.Reset)).IsSuccess);
        var appends = new List<Append>();
        await Task.WhenAll(Enumerable.Range(0, 12).Select(async slot =>
        {
            var random = new Random(seed + slot);
            using var buffer = new TestBuffer(512);
            for (int i = 0; i < Rounds; i++)
            {
                var client = clients[slot % clients.Count];
                if (random.Next(8) == 0)
                {
                    await ResetAsync(client);
                    continue;
                }
                uint tag = (uint)Interlocked.Increment(ref _next);
                byte[] data = new byte[512];
                for (int at = 0; at < 512; at += 4) BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(at), tag);
                buffer.Set(data);
                var (outcome, ended) = await AppendAsync(client, buffer);
                if (!outcome.IsSuccess)
                {
                    Assert.Equal((BdevIoStatus.NvmeError, 0xB9), (outcome.Status, outcome.Result.NvmeStatusCode));
                    await ResetAsync(client);
                    continue;
                }
                lock (appends) appends.Add(new Append(tag, outcome.Result.Value, ended));
            }
        })).WaitAsync(TimeSpan.FromSeconds(60), Cancel);

        var zone = (await clients[0].GetZonesAsync(0, 1))[0];
        byte[] now = await clients[1].ReadBytesAsync(0, 16);
        for (ulong block = 0; block < 16; block++)
        {
            uint found = BinaryPrimitives.ReadUInt32LittleEndian(now.AsSpan((int)block * 512));
            // A reset waits for the appends before it: what ended after the last one was written after it, once to each block.
            var its = appends.Where(append => append.At == block).ToList();
            Assert.True(its.Count(append => append.Ended > _lastReset) <= 1, $"seed {seed}: block {block} was written twice after the last reset");
            uint expected = block < zone.WritePointer ? its.MaxBy(append => append.Ended)!.Tag : 0;
            Assert.True(found == expected, $"seed {seed}: block {block} holds the append {found}, not {expected}; the write pointer is at {zone.WritePointer}");
            Assert.True(now.AsSpan((int)block * 512, 512).ToArray().Chunk(4).All(word => BinaryPrimitives.ReadUInt32LittleEndian(word) == found), $"block {block} is mixed");
        }
        Assert.True(appends.Count >= Rounds, $"only {appends.Count} appends succeeded");
    }

    /// <summary>Resets the zone, and takes the time at which that ended on its own thread.</summary>
    private async Task ResetAsync(BdevClient client) => Assert.True((await client.SubmitAsync((channel, done, state) => channel.ZoneManagement(0, BdevZoneAction.Reset, (object? s, in BdevIoResult result) =>
    {
        long ended = Interlocked.Increment(ref _clock);
        for (long last = Volatile.Read(ref _lastReset); last < ended;) last = Interlocked.CompareExchange(ref _lastReset, ended, last) is var found && found == last ? ended : found;
        done(s, in result);
    }, state))).IsSuccess);

    /// <summary>Appends, and takes the time at which it ended on its own thread.</summary>
    private async Task<(Outcome Outcome, long Ended)> AppendAsync(BdevClient client, TestBuffer buffer)
    {
        long ended = 0;
        var outcome = await client.SubmitAsync((channel, done, state) => channel.ZoneAppend(buffer.Vectors, 0, 1, (object? s, in BdevIoResult result) =>
        {
            ended = Interlocked.Increment(ref _clock);
            done(s, in result);
        }, state));
        return (outcome, ended);
    }
}
