using Spindle.Bdevs;
using Spindle.Perf;
using Spindle.Modules;

namespace Spindle.Tool.Bdevperf;

/// <summary>A load generator on the bdev layer: <c>spindle perf bdev</c>.</summary>
public sealed class BdevperfTool : ToolModule
{
    /// <inheritdoc/>
    public override string Name => "tool-bdevperf";

    /// <inheritdoc/>
    public override async Task<int> RunAsync(IModuleContext context, IReadOnlyList<string> arguments, TextWriter output, CancellationToken cancellationToken)
    {
        PerfOptions options;
        try
        {
            options = PerfOptions.Parse(arguments);
        }
        catch (FormatException e)
        {
            output.WriteLine($"spindle perf bdev: {e.Message}");
            output.WriteLine("Try 'spindle perf bdev --help'.");
            return 2;
        }
        if (options.Help)
        {
            output.WriteLine(PerfOptions.HelpText);
            return 0;
        }
        var names = options.Bdevs.Count > 0 ? options.Bdevs : [.. context.Bdevs.All.Select(bdev => bdev.Name)];
        if (names.Count == 0)
        {
            output.WriteLine("spindle perf bdev: there is no bdev. Make some with --create or --config, and name them with --bdev.");
            return 2;
        }
        var report = new PerfReport(output, options.Json, "bdev");
        report.Begin();
        int exitCode = 0;
        foreach (string name in names)
        {
            foreach (var pattern in options.Patterns)
            {
                foreach (int queueDepth in options.QueueDepths)
                {
                    try
                    {
                        report.Add(await new PerfRun(context, options, name, pattern, queueDepth).RunAsync(cancellationToken));
                    }
                    catch (SpindleException e)
                    {
                        report.Failed(name, pattern, queueDepth, e.Message);
                        exitCode = 1;
                    }
                    if (cancellationToken.IsCancellationRequested) break;
                }
            }
        }
        report.End();
        return cancellationToken.IsCancellationRequested ? 130 : exitCode;
    }
}
