using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;

namespace Spindle.ContractTests.Model;

/// <summary>Random sequences by openers that do not see metadata, over every kind of it, compared with a byte array. A failure prints the seed.</summary>
public sealed class HiddenMetadataModelTests(ContractHost host) : BdevTest(host)
{
    private const ulong Blocks = 384;

    public static TheoryData<int, bool, bool, uint, uint> Kinds
    {
        get
        {
            var data = new TheoryData<int, bool, bool, uint, uint>();
            for (int type = 0; type <= 3; type++)
                foreach (bool interleaved in new[] { false, true })
                {
                    data.Add(type, interleaved, false, 8, 0);
                    data.Add(type, interleaved, true, 64, (uint)type % 3);
                }
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task It_agrees_with_the_model(int type, bool interleaved, bool head, uint size, uint format)
    {
        int seed = Environment.GetEnvironmentVariable(BdevConformance.SeedVariable) is { } text ? int.Parse(text, System.Globalization.CultureInfo.InvariantCulture) : 4711 + type;
        TestContext.Current.SendDiagnosticMessage($"seed {seed}");
        var suite = new BdevConformance(Host, async () =>
        {
            // A boundary that pieces meet, on one of the two; a passthru between, which has to hand metadata on.
            var lower = await Subjects.MallocAsync(Host, new()
            {
                NumBlocks = Blocks, BlockSize = format == 0 ? 512u : 4096u, MdSize = size, MdInterleave = interleaved, DifType = type, DifIsHeadOfMd = head, DifPiFormat = format,
                OptimalIoBoundary = head ? 7u : 0,
            });
            return await Subjects.PassthruAsync(Host, lower with { HideMetadata = true }, layers: head ? 1 : 0);
        }) { Seed = seed, Sequences = 1, SequenceSteps = 200 };
        Assert.Null(await suite.RunAsync("model.random-io"));
    }
}
