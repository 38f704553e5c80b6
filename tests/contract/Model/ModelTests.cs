using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;

namespace Spindle.ContractTests.Model;

/// <summary>Random sequences over random stacks, compared with a byte array. A failure prints the seed and a short sequence that still fails.
/// SPINDLE_TEST_SEED runs one seed.</summary>
public sealed class ModelTests(ContractHost host) : BdevTest(host)
{
    private const int Steps = 400;
    private const ulong Blocks = 512;

    public static TheoryData<int> Seeds
    {
        get
        {
            var data = new TheoryData<int>();
            if (int.TryParse(Environment.GetEnvironmentVariable("SPINDLE_TEST_SEED"), out int one)) data.Add(one);
            else for (int seed = 1; seed <= 24; seed++) data.Add(seed);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public Task A_fixed_seed_agrees_with_the_model(int seed) => AgreeAsync(seed);

    [Fact]
    public Task A_new_seed_agrees_with_the_model() => AgreeAsync(Random.Shared.Next());

    private async Task AgreeAsync(int seed)
    {
        var steps = ModelStep.Sequence(new Random(seed), Blocks, Steps, workers: 4);
        if (await RunAsync(seed, steps) is not { } failure) return;
        var shortest = await ShrinkAsync(seed, steps);
        Assert.Fail($"seed {seed} ({Describe(seed)}): {failure}\nstill fails with {shortest.Count} steps:\n  {string.Join("\n  ", shortest)}");
    }

    /// <summary>Leaves out halves, quarters … single steps, as long as it still fails.</summary>
    private async Task<List<ModelStep>> ShrinkAsync(int seed, List<ModelStep> steps)
    {
        int tries = 0;
        for (int piece = steps.Count / 2; piece > 0; piece /= 2)
        {
            for (int at = 0; at + piece <= steps.Count && tries < 200;)
            {
                var fewer = steps[..at].Concat(steps[(at + piece)..]).ToList();
                tries++;
                if (fewer.Count > 0 && await RunAsync(seed, fewer) is not null) steps = fewer;
                else at += piece;
            }
        }
        return steps;
    }

    private async Task<string?> RunAsync(int seed, List<ModelStep> steps)
    {
        var subject = await StackAsync(seed);
        var clients = new List<BdevClient>();
        for (int worker = 0; worker < 4; worker++) clients.Add(await BdevClient.OpenAsync(Host, subject.Name, worker: worker));
        try
        {
            return await new ModelRun(subject, clients).RunAsync(steps);
        }
        finally
        {
            foreach (var client in clients) await client.DisposeAsync();
            await Host.UnregisterAsync(subject.Name);
            foreach (string below in subject.Below.Reverse()) await Host.UnregisterAsync(below);
        }
    }

    private static string Describe(int seed) => $"bottom {seed % 7}, {seed / 7 % 4} passthrus";

    private async Task<Subject> StackAsync(int seed)
    {
        var bottom = await ((seed % 7) switch
        {
            0 => Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 512 }),
            1 => Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 4096, OptimalIoBoundary = 7 }),
            2 => Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 512, MdSize = 8, MdInterleave = true }),
            3 => Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 512, MdSize = 8, DifType = 1 }),
            4 => Subjects.AioAsync(Host, new() { Filename = NewFile(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), (long)Blocks * 512), BlockSize = 512, Fallocate = true }),
            5 => Subjects.AioAsync(Host, new() { Filename = NewFile(AppContext.BaseDirectory, (long)Blocks * 4096), BlockSize = 4096, Fallocate = true }),
            _ => Subjects.AioAsync(Host, new() { Filename = NewFile(AppContext.BaseDirectory, (long)Blocks * 4096), BlockSize = 4096 }),
        });
        return await Subjects.PassthruAsync(Host, bottom, seed / 7 % 4);
    }
}
