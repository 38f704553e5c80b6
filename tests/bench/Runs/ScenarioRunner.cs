using Spindle.Bench.Contenders;
using Spindle.Bench.Scenarios;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Runs;

/// <summary>Runs scenarios: Spindle, peer, Spindle, peer … so that what slows the machine for a while slows both.</summary>
/// <param name="settings">How.</param>
/// <param name="bars">Decide whether more pairs are wanted.</param>
/// <param name="pairs">Runs of each side.</param>
/// <param name="maxPairs">While a bar lies within its interval, pairs are added up to this many.</param>
public sealed class ScenarioRunner(BenchSettings settings, Bars bars, int pairs, int maxPairs)
{
    /// <summary>Told before each run: whose, and the how-manieth of how many.</summary>
    public event Action<Scenario, Contender, int, int>? Running;

    /// <summary>Measures one scenario. A failure ends it, and is noted in the result.</summary>
    public async Task<ScenarioResult> RunAsync(Scenario scenario, CancellationToken cancellationToken)
    {
        List<Sample> own = [], peer = [];
        string? failure = null;
        IMeasurement? spindleSide = null, peerSide = null;
        ScenarioResult Result() => new(scenario.Name, scenario.Title, scenario.Primary, own, peer, failure);
        try
        {
            spindleSide = await scenario.OpenAsync(Contender.Spindle, settings, cancellationToken)
                ?? throw new BenchException("Spindle has no way to measure this");
            if (settings.Peer is not null) peerSide = await scenario.OpenAsync(Contender.Peer, settings, cancellationToken);
            int wanted = pairs;
            for (int i = 0; i < wanted; i++)
            {
                Running?.Invoke(scenario, Contender.Spindle, i + 1, wanted);
                own.Add(await spindleSide.RunAsync(cancellationToken));
                if (peerSide is not null)
                {
                    Running?.Invoke(scenario, Contender.Peer, i + 1, wanted);
                    peer.Add(await peerSide.RunAsync(cancellationToken));
                }
                if (i + 1 == wanted && wanted < maxPairs && Result().Judge(bars, scenario.Primary)?.Verdict == Verdict.Straddles) wanted++;
            }
        }
        catch (BenchException e)
        {
            failure = e.Message;
        }
        finally
        {
            if (spindleSide is not null) await spindleSide.DisposeAsync();
            if (peerSide is not null) await peerSide.DisposeAsync();
        }
        return Result();
    }
}
