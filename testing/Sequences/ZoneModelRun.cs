using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>What a step does to a zone.</summary>
internal enum ZoneStepKind
{
    Write,
    Append,
    WriteElsewhere,
    Read,
    Report,
    Open,
    Close,
    Finish,
    Reset,
}

/// <summary>One step of a random sequence on zones. It says nothing of blocks by number, so that it means something when others are left out.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Zone">Which zone.</param>
/// <param name="Blocks">Blocks, at most; as many as there is room for.</param>
/// <param name="Seed">Of its data, its vectors and its place.</param>
/// <param name="Worker">Which thread submits it.</param>
/// <param name="Waits">Whether everything before has to end first; else only what is done to the same zone.</param>
internal sealed record ZoneStep(ZoneStepKind Kind, int Zone, ulong Blocks, int Seed, int Worker, bool Waits)
{
    public static List<ZoneStep> Sequence(Random random, int zones, int count, int workers, bool appends)
    {
        var steps = new List<ZoneStep>();
        for (int i = 0; i < count; i++)
        {
            var kind = random.Next(20) switch
            {
                < 5 => ZoneStepKind.Write,
                < 9 => appends ? ZoneStepKind.Append : ZoneStepKind.Write,
                < 11 => ZoneStepKind.WriteElsewhere,
                < 14 => ZoneStepKind.Read,
                < 16 => ZoneStepKind.Report,
                16 => ZoneStepKind.Open,
                17 => ZoneStepKind.Close,
                18 => random.Next(3) == 0 ? ZoneStepKind.Finish : ZoneStepKind.Append,
                _ => ZoneStepKind.Reset,
            };
            if (kind == ZoneStepKind.Append && !appends) kind = ZoneStepKind.Write;
            ulong blocks = random.Next(6) == 0 ? 1 + (ulong)random.Next(200) : 1 + (ulong)random.Next(12);
            steps.Add(new ZoneStep(kind, random.Next(zones), blocks, random.Next(), random.Next(workers), random.Next(6) == 0));
        }
        return steps;
    }
}

/// <summary>Carries such a sequence out on a bdev and on a model of its zones, and tells the first difference.</summary>
internal sealed class ZoneModelRun
{
    private readonly IReadOnlyList<BdevClient> _clients;
    private readonly Zone[] _zones;
    private readonly int _blockSize;
    private readonly bool _keepsData;
    private readonly ulong _longestAppend;

    private sealed class Zone(BdevZoneInfo info, int blockSize)
    {
        public readonly ulong Start = info.Start;
        public readonly ulong Capacity = info.Capacity;
        public readonly byte[] Data = new byte[info.Capacity * (ulong)blockSize];
        public BdevZoneState State = BdevZoneState.Empty;
        public ulong Written;  // what was written since the reset,
        public bool Finished;  // and whether the rest was given up

        public ulong Pointer => Start + (Finished ? Capacity : Written);
        public bool IsWritable => State != BdevZoneState.Full;

        public bool Take(ulong blocks)
        {
            if (!IsWritable || Written + blocks > Capacity) return false;
            Written += blocks;
            State = Written == Capacity ? BdevZoneState.Full : State == BdevZoneState.ExplicitlyOpen ? State : BdevZoneState.ImplicitlyOpen;
            return true;
        }

        public bool Do(ZoneStepKind action)
        {
            switch (action)
            {
                case ZoneStepKind.Open when IsWritable:
                    State = BdevZoneState.ExplicitlyOpen;
                    return true;
                case ZoneStepKind.Close when State is BdevZoneState.ImplicitlyOpen or BdevZoneState.ExplicitlyOpen or BdevZoneState.Closed:
                    State = BdevZoneState.Closed;
                    return true;
                case ZoneStepKind.Finish:
                    (State, Finished) = (BdevZoneState.Full, true);
                    return true;
                case ZoneStepKind.Reset:
                    (State, Written, Finished) = (BdevZoneState.Empty, 0, false);
                    return true;
                default:
                    return false;
            }
        }
    }

    private ZoneModelRun(IReadOnlyList<BdevClient> clients, Zone[] zones, bool keepsData)
    {
        _clients = clients;
        _zones = zones;
        _blockSize = (int)clients[0].BlockSize;
        _keepsData = keepsData;
        // One that has to be copied must fit a buffer of the host's; this is far below.
        uint most = clients[0].Bdev.MaxZoneAppendBlocks;
        _longestAppend = Math.Min(most == 0 ? 8 : most, 8);
    }

    /// <summary>Empties the zones.</summary>
    public static async Task<ZoneModelRun> StartAsync(IReadOnlyList<BdevClient> clients, int zones, bool keepsData)
    {
        var bdev = clients[0].Bdev;
        for (int i = 0; i < zones; i++) Check.Succeeded(await clients[0].ZoneManagementAsync((ulong)i * bdev.ZoneSizeBlocks, BdevZoneAction.Reset), "reset of a zone");
        var infos = await clients[0].GetZonesAsync(0, zones);
        return new ZoneModelRun(clients, [.. infos.Select(info => new Zone(info, (int)clients[0].BlockSize))], keepsData);
    }

    /// <returns>Null, or what differed at which step.</returns>
    public async Task<string?> RunAsync(IReadOnlyList<ZoneStep> steps)
    {
        var underWay = new List<(ZoneStep Step, Task<string?> Task)>();
        async Task<string?> EndAsync()
        {
            string?[] results = await Task.WhenAll(underWay.Select(u => u.Task));
            underWay.Clear();
            return Array.Find(results, r => r is not null);
        }
        for (int i = 0; i < steps.Count; i++)
        {
            var step = steps[i];
            if ((step.Waits || underWay.Exists(other => other.Step.Zone == step.Zone)) && await EndAsync() is { } failure) return failure;
            underWay.Add((step, StepAsync($"step {i}, {step}", step)));
        }
        if (await EndAsync() is { } last) return last;
        for (int zone = 0; zone < _zones.Length; zone++)
        {
            foreach (var kind in new[] { ZoneStepKind.Report, ZoneStepKind.Read })
                if (await StepAsync($"at the end, zone {zone}", new ZoneStep(kind, zone, ulong.MaxValue, 0, 0, true)) is { } failure) return failure;
        }
        return null;
    }

    // The model is changed before the first await, in the order of the sequence; the bdev does it in its own time.
    private async Task<string?> StepAsync(string what, ZoneStep step)
    {
        var zone = _zones[step.Zone];
        var client = _clients[step.Worker % _clients.Count];
        var random = new Random(step.Seed);
        switch (step.Kind)
        {
            case ZoneStepKind.Write or ZoneStepKind.Append:
            {
                ulong at = zone.Pointer, blocks = Math.Min(step.Blocks, zone.Capacity);
                bool append = step.Kind == ZoneStepKind.Append;
                if (append) blocks = Math.Min(blocks, _longestAppend);
                if (zone.Capacity > zone.Written && random.Next(8) != 0) blocks = Math.Min(blocks, zone.Capacity - zone.Written);
                byte[] data = new byte[blocks * (ulong)_blockSize];
                random.NextBytes(data);
                bool fits = zone.Take(blocks);
                if (fits) data.CopyTo(zone.Data, (long)(at - zone.Start) * _blockSize);
                using var buffer = new TestBuffer(TestBuffer.OddSplit(random, data.Length, random.Next(1, 6)), random.Next(3) == 0 ? random.Next(1, 64) : 0);
                buffer.Set(data);
                var outcome = append ? await client.ZoneAppendAsync(buffer, zone.Start, blocks) : await client.WriteAsync(buffer, Math.Min(at, zone.Start + zone.Capacity - 1), blocks);
                if (Differs(outcome, fits) is { } failure) return $"{what}, {blocks} blocks at {at}: {failure}";
                return append && fits && outcome.Result.Value != at ? $"{what}: appended at {outcome.Result.Value}; the write pointer was at {at}" : null;
            }
            case ZoneStepKind.WriteElsewhere:
            {
                ulong at = zone.Start + (ulong)random.NextInt64((long)zone.Capacity), pointer = zone.Pointer;
                if (at == pointer) at = at == zone.Start ? at + 1 : zone.Start;
                if (at >= zone.Start + zone.Capacity) return null; // a zone of one block
                using var buffer = new TestBuffer(_blockSize);
                var outcome = await client.WriteAsync(buffer, at, 1);
                return Differs(outcome, false) is { } failure ? $"{what}, at {at} with the write pointer at {pointer}: {failure}" : null;
            }
            case ZoneStepKind.Read:
            {
                if (zone.Written == 0) return null;
                ulong blocks = Math.Min(step.Blocks, zone.Written), at = (ulong)random.NextInt64((long)(zone.Written - blocks) + 1);
                byte[] expected = zone.Data.AsSpan((int)at * _blockSize, (int)blocks * _blockSize).ToArray();
                byte[] read = await client.ReadBytesAsync(zone.Start + at, blocks);
                return !_keepsData || read.AsSpan().SequenceEqual(expected) ? null : $"{what}, {blocks} blocks at {zone.Start + at}: differs at byte {read.AsSpan().CommonPrefixLength(expected)}";
            }
            case ZoneStepKind.Report:
            {
                var (state, pointer) = (zone.State, zone.Pointer);
                var now = (await client.GetZonesAsync(zone.Start, 1))[0];
                return now.State == state && now.WritePointer == pointer && now.Capacity == zone.Capacity ? null
                    : $"{what}: {now.State}, write pointer {now.WritePointer}, capacity {now.Capacity}; expected {state}, {pointer}, {zone.Capacity}";
            }
            default:
            {
                bool allowed = zone.Do(step.Kind);
                var action = step.Kind switch
                {
                    ZoneStepKind.Open => BdevZoneAction.Open,
                    ZoneStepKind.Close => BdevZoneAction.Close,
                    ZoneStepKind.Finish => BdevZoneAction.Finish,
                    _ => BdevZoneAction.Reset,
                };
                return Differs(await client.ZoneManagementAsync(zone.Start, action), allowed) is { } failure ? $"{what}: {failure}" : null;
            }
        }
    }

    private static string? Differs(Outcome outcome, bool succeeds)
    {
        // What reaches into the next zone is refused by the host.
        if (succeeds ? outcome.IsSuccess : outcome.Error == -Errno.EINVAL || (outcome.Error == 0 && outcome.Status is BdevIoStatus.NvmeError or BdevIoStatus.Failed or BdevIoStatus.ScsiError)) return null;
        return $"{outcome}, expected {(succeeds ? "success" : "to be refused")}";
    }
}
