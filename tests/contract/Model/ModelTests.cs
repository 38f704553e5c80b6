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
        TestContext.Current.SendDiagnosticMessage($"seed {seed}: bottom {seed % 7}, {seed / 7 % 4} passthrus");
        var suite = new BdevConformance(Host, () => StackAsync(seed)) { Seed = seed, Sequences = 1, SequenceSteps = Steps };
        Assert.Null(await suite.RunAsync("model.random-io"));
    }

    private async Task<BdevSubject> StackAsync(int seed)
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
