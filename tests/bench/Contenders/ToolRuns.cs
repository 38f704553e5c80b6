using Spindle.Bench.Processes;
using Spindle.Bench.Scenarios;

namespace Spindle.Bench.Contenders;

/// <summary>Runs of tools to their end, with the settings' time limit.</summary>
internal static class ToolRuns
{
    /// <exception cref="BenchException">The tool failed; the message has its last lines.</exception>
    public static async Task<CommandRun> RunAsync(this BenchSettings settings, string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var limit = TimeSpan.FromSeconds(settings.Time + settings.Warmup + 30);
        var run = await CommandRun.RunAsync(program, arguments, limit, null, cancellationToken);
        if (settings.Verbose) Console.Error.WriteLine($"$ {run.CommandLine}\n{run.Tail(40)}");
        return run.ExitCode == 0 ? run : throw new BenchException($"{run.CommandLine}\nended with exit status {run.ExitCode}:\n{run.Tail()}");
    }
}
