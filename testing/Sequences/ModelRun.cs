using Spindle.Bdevs;

namespace Spindle.Testing;

/// <summary>Carries out a sequence on a bdev and on a plain byte array, and tells the first difference.</summary>
internal sealed class ModelRun(IReadOnlyList<BdevClient> clients, byte[] model)
{
    private readonly uint _blockSize = clients[0].BlockSize;
    private readonly bool _unmaps = clients[0].Bdev.Supports(BdevIoType.Unmap);
    private readonly bool _flushes = clients[0].Bdev.Supports(BdevIoType.Flush);
    private readonly byte[] _model = model;

    /// <returns>Null, or what differed at which step.</returns>
    public async Task<string?> RunAsync(IReadOnlyList<ModelStep> steps)
    {
        var underWay = new List<(ModelStep Step, Task<string?> Task)>();
        for (int i = 0; i < steps.Count; i++)
        {
            var step = steps[i];
            if (step.Waits || underWay.Exists(other => other.Step.Touches(step)))
            {
                if (await EndAsync(underWay) is { } failure) return failure;
            }
            underWay.Add((step, StepAsync(i, step)));
        }
        if (await EndAsync(underWay) is { } last) return last;
        byte[] all = await clients[0].ReadBytesAsync(0, (ulong)_model.Length / _blockSize);
        return all.AsSpan().SequenceEqual(_model) ? null : $"at the end: differs at byte {all.AsSpan().CommonPrefixLength(_model)}, which is in block {all.AsSpan().CommonPrefixLength(_model) / _blockSize}";
    }

    private static async Task<string?> EndAsync(List<(ModelStep, Task<string?> Task)> underWay)
    {
        string?[] results = await Task.WhenAll(underWay.Select(u => u.Task));
        underWay.Clear();
        return Array.Find(results, r => r is not null);
    }

    private Span<byte> Part(ulong offset, ulong blocks) => _model.AsSpan((int)(offset * _blockSize), (int)(blocks * _blockSize));

    private Task<string?> StepAsync(int index, ModelStep step)
    {
        // The model is changed here, in the order of the sequence; the bdev does it in its own time.
        var random = new Random(step.Seed);
        var client = clients[step.Worker % clients.Count];
        byte[] old = Part(step.Offset, step.Blocks).ToArray();
        byte[] fresh = new byte[old.Length];
        random.NextBytes(fresh);
        byte[] other = [.. old];
        other[random.Next(other.Length)] ^= 0x40;
        switch (step.Kind)
        {
            case ModelStepKind.Write or ModelStepKind.CompareAndWrite:
                fresh.CopyTo(Part(step.Offset, step.Blocks));
                break;
            case ModelStepKind.WriteZeroes:
            case ModelStepKind.Unmap when _unmaps:
                Part(step.Offset, step.Blocks).Clear();
                break;
            case ModelStepKind.Copy:
                Part(step.Source, step.Blocks).CopyTo(Part(step.Offset, step.Blocks));
                break;
        }
        return CarryOutAsync(index, step, client, random, old, fresh, other);
    }

    private async Task<string?> CarryOutAsync(int index, ModelStep step, BdevClient client, Random random, byte[] old, byte[] fresh, byte[] other)
    {
        TestBuffer Buffer() => new(TestBuffer.OddSplit(random, old.Length, random.Next(1, 8)), random.Next(3) == 0 ? random.Next(1, 64) : 0);
        using var first = Buffer();
        using var second = Buffer();
        Outcome outcome;
        var expected = BdevIoStatus.Success;
        switch (step.Kind)
        {
            case ModelStepKind.Read:
                first.Fill(0xC3);
                outcome = await client.ReadAsync(first, step.Offset, step.Blocks);
                if (outcome.IsSuccess && !first.ToArray().AsSpan().SequenceEqual(old))
                    return $"step {index}, {step}: differs at byte {first.ToArray().AsSpan().CommonPrefixLength(old)}";
                break;
            case ModelStepKind.Write:
                first.Set(fresh);
                outcome = await client.WriteAsync(first, step.Offset, step.Blocks);
                break;
            case ModelStepKind.WriteZeroes:
                outcome = await client.WriteZeroesAsync(step.Offset, step.Blocks);
                break;
            case ModelStepKind.Unmap:
                outcome = await client.UnmapAsync(step.Offset, step.Blocks);
                if (!_unmaps) return outcome.Error == -Errno.ENOTSUP ? null : $"step {index}, {step}: {outcome}";
                break;
            case ModelStepKind.Compare or ModelStepKind.CompareWrong:
                bool wrong = step.Kind == ModelStepKind.CompareWrong;
                first.Set(wrong ? other : old);
                if (wrong) expected = BdevIoStatus.Miscompare;
                outcome = await client.CompareAsync(first, step.Offset, step.Blocks);
                break;
            case ModelStepKind.CompareAndWrite or ModelStepKind.CompareAndWriteWrong:
                wrong = step.Kind == ModelStepKind.CompareAndWriteWrong;
                first.Set(wrong ? other : old);
                second.Set(fresh);
                if (wrong) expected = BdevIoStatus.Miscompare;
                outcome = await client.CompareAndWriteAsync(first, second, step.Offset, step.Blocks);
                break;
            case ModelStepKind.Copy:
                outcome = await client.CopyAsync(step.Offset, step.Source, step.Blocks);
                break;
            case ModelStepKind.Flush:
                outcome = await client.FlushAsync(step.Offset, step.Blocks);
                if (!_flushes) return outcome.Error == -Errno.ENOTSUP ? null : $"step {index}, {step}: {outcome}, expected to be refused";
                break;
            default:
                outcome = await client.ResetAsync();
                break;
        }
        return outcome.Error == 0 && outcome.Status == expected ? null : $"step {index}, {step}: {outcome}, expected {expected}";
    }
}
