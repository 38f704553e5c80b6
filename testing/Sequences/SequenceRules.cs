namespace Spindle.Testing;

/// <summary>Random sequences, compared with a model; a failing one is made as short as it can be.</summary>
internal static class SequenceRules
{
    private const ulong MostBlocks = 512;
    private const int Tries = 120;

    public static IEnumerable<ConformanceRule> All =>
    [
        new("model.random-io", "Random sequences of all types on many channels leave what they leave in an array.", RandomIoAsync, needsData: true),
        new("persist.power-cut", "After a power cut each block holds what was durable, or something written to it since.", PowerCutAsync, needsData: true),
    ];

    private static async Task RandomIoAsync(ConformanceRun run)
    {
        run.NeedsAnyOrder();
        ulong blocks = Math.Min(run.Blocks, MostBlocks);
        bool unmaps = run.Subject.UnmapsToZero;
        await RunAsync(run, seed =>
        {
            var steps = ModelStep.Sequence(new Random(seed), blocks, run.Suite.SequenceSteps, ConcurrencyRules.Workers);
            if (!unmaps) steps.RemoveAll(step => step.Kind == ModelStepKind.Unmap);
            return steps;
        }, async (inner, steps) =>
        {
            var clients = new List<BdevClient>();
            for (int worker = 0; worker < ConcurrencyRules.Workers; worker++) clients.Add(await inner.OpenAsync(worker));
            // What is there at the start is the bdev's to say; it only may not change by itself.
            byte[] model = await clients[0].ReadBytesAsync(0, blocks);
            return await new ModelRun(clients, model).RunAsync(steps);
        });
    }

    private static Task PowerCutAsync(ConformanceRun run)
    {
        if (run.Subject.CutPowerAsync is null) throw new NotApplicableException("the test brings about no power cut");
        run.NeedsAnyOrder();
        ulong blocks = Math.Min(run.Blocks, 64);
        return RunAsync(run, seed => PowerCutStep.Sequence(new Random(seed), blocks, Math.Min(60, run.Suite.SequenceSteps)), (inner, steps) => new PowerCutRun(inner, blocks).RunAsync(steps));
    }

    /// <summary>Runs sequences of some seeds; the first that fails is shortened and reported.</summary>
    internal static async Task RunAsync<T>(ConformanceRun run, Func<int, List<T>> sequence, Func<ConformanceRun, List<T>, Task<string?>> attempt)
    {
        for (int i = 0; i < run.Suite.Sequences; i++)
        {
            var steps = sequence(run.Suite.Seed + i);
            Task<string?> Try(List<T> some) => run.TryAsync(inner => attempt(inner, some));
            if (await Try(steps) is not { } failure) continue;
            var (shortest, last) = await ShrinkAsync(steps, failure, Try, run.Host.Options.Patience);
            throw new ConformanceException($"{last}{Environment.NewLine}Seed {run.Suite.Seed + i}; the shortest sequence found that fails has {shortest.Count} steps:{Environment.NewLine}  "
                + string.Join($"{Environment.NewLine}  ", shortest.Select((step, index) => $"{index}. {step}")));
        }
    }

    /// <summary>Leaves out halves, quarters … single steps, as long as it still fails.</summary>
    private static async Task<(List<T> Steps, string Failure)> ShrinkAsync<T>(List<T> steps, string failure, Func<List<T>, Task<string?>> attempt, TimeSpan patience)
    {
        int tries = 0;
        long end = Environment.TickCount64 + Math.Max(10_000, (long)patience.TotalMilliseconds);
        bool again = true;
        while (again)
        {
            again = false;
            for (int piece = Math.Max(1, steps.Count / 2); piece > 0; piece /= 2)
            {
                for (int at = 0; at + piece <= steps.Count && steps.Count > 1 && tries < Tries && Environment.TickCount64 < end;)
                {
                    List<T> fewer = [.. steps[..at], .. steps[(at + piece)..]];
                    tries++;
                    if (await attempt(fewer) is { } text)
                    {
                        (steps, failure) = (fewer, text);
                        again = piece == 1;
                    }
                    else
                    {
                        at += piece;
                    }
                }
            }
        }
        return (steps, failure);
    }
}
