using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>What a step before a power cut does.</summary>
internal enum PowerCutStepKind
{
    Write,
    WriteZeroes,
    Flush,
    Cut,
}

/// <summary>One step of a sequence with power cuts.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Offset">First block.</param>
/// <param name="Blocks">Blocks.</param>
/// <param name="Seed">Of its data.</param>
/// <param name="Waits">For its own end; else it is under way when the next begins.</param>
internal sealed record PowerCutStep(PowerCutStepKind Kind, ulong Offset, ulong Blocks, int Seed, bool Waits)
{
    public static List<PowerCutStep> Sequence(Random random, ulong size, int count)
    {
        var steps = new List<PowerCutStep>();
        for (int i = 0; i < count; i++)
        {
            var kind = random.Next(12) switch { 0 => PowerCutStepKind.Cut, 1 or 2 => PowerCutStepKind.Flush, 3 => PowerCutStepKind.WriteZeroes, _ => PowerCutStepKind.Write };
            ulong blocks = 1 + (ulong)random.Next(8);
            steps.Add(new PowerCutStep(kind, (ulong)random.NextInt64((long)(size - blocks) + 1), blocks, random.Next(), random.Next(3) > 0));
        }
        steps.Add(new PowerCutStep(PowerCutStepKind.Cut, 0, 1, 0, true));
        return steps;
    }
}

/// <summary>Carries such a sequence out, and keeps for each block what it may hold after a cut: the last durable version and every one written since.</summary>
internal sealed class PowerCutRun(ConformanceRun run, ulong blocks)
{
    private readonly List<byte[]>[] _versions = new List<byte[]>[blocks];
    private readonly List<Task<Outcome>> _underWay = [];

    public async Task<string?> RunAsync(IReadOnlyList<PowerCutStep> steps)
    {
        var client = await run.OpenAsync();
        bool flushes = run.Can(BdevIoType.Flush), volatileCache = run.Bdev.WriteCache;
        int block = run.BlockSize;
        await AcceptAsync(client, block, null);
        for (int i = 0; i < steps.Count; i++)
        {
            var step = steps[i];
            switch (step.Kind)
            {
                case PowerCutStepKind.Write or PowerCutStepKind.WriteZeroes:
                    // Two writes at once to one block would leave open which came last.
                    await EndAsync();
                    byte[] data = new byte[step.Blocks * (ulong)block];
                    if (step.Kind == PowerCutStepKind.Write) new Random(step.Seed).NextBytes(data);
                    for (ulong b = 0; b < step.Blocks; b++) _versions[step.Offset + b].Add(data[((int)b * block)..((int)(b + 1) * block)]);
                    var write = WriteAsync(client, step, data);
                    _underWay.Add(write);
                    if (!step.Waits) break;
                    await EndAsync();
                    if (!volatileCache) Settle(step.Offset, step.Blocks);
                    break;
                case PowerCutStepKind.Flush when flushes:
                    await EndAsync();
                    Check.Succeeded(await client.FlushAsync(0, run.Blocks), $"step {i}, {step}");
                    Settle(0, blocks);
                    break;
                case PowerCutStepKind.Cut:
                    // What is under way at the cut is not waited for by its result: it may be either.
                    await Task.WhenAll(_underWay);
                    _underWay.Clear();
                    await run.CloseAsync();
                    await run.Subject.CutPowerAsync!().WaitAsync(run.Host.Options.Patience);
                    client = await run.OpenAsync();
                    if (await AcceptAsync(client, block, $"step {i}, {step}") is { } failure) return failure;
                    break;
            }
        }
        return null;
    }

    private static async Task<Outcome> WriteAsync(BdevClient client, PowerCutStep step, byte[] data)
    {
        if (step.Kind == PowerCutStepKind.WriteZeroes) return await client.WriteZeroesAsync(step.Offset, step.Blocks);
        using var buffer = new TestBuffer(data.Length);
        buffer.Set(data);
        return await client.WriteAsync(buffer, step.Offset, step.Blocks);
    }

    private async Task EndAsync()
    {
        foreach (var outcome in await Task.WhenAll(_underWay)) Check.Succeeded(outcome, "a write");
        _underWay.Clear();
    }

    private void Settle(ulong offset, ulong count)
    {
        for (ulong b = offset; b < offset + count; b++) _versions[b].RemoveRange(0, _versions[b].Count - 1);
    }

    /// <summary>Reads all, finds each block among its versions, and takes what was read for durable: it cannot change again by itself.</summary>
    private async Task<string?> AcceptAsync(BdevClient client, int block, string? step)
    {
        byte[] all = await client.ReadBytesAsync(0, blocks);
        for (int b = 0; b < (int)blocks; b++)
        {
            byte[] now = all[(b * block)..((b + 1) * block)];
            if (step is not null && !_versions[b].Exists(version => version.AsSpan().SequenceEqual(now)))
                return $"{step}: block {b} holds neither what was durable nor any of the {_versions[b].Count - 1} versions written since";
            _versions[b] = [now];
        }
        return null;
    }
}
