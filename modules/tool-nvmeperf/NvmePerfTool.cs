using Spindle.Modules;
using Spindle.Perf;

namespace Spindle.Tool.NvmePerf;

/// <summary>A load generator that is an NVMe/TCP initiator: <c>spindle perf nvme</c>.</summary>
public sealed class NvmePerfTool : ToolModule
{
    /// <inheritdoc/>
    public override string Name => "tool-nvmeperf";

    /// <inheritdoc/>
    public override async Task<int> RunAsync(IModuleContext context, IReadOnlyList<string> arguments, TextWriter output, CancellationToken cancellationToken)
    {
        NvmePerfOptions options;
        try
        {
            options = NvmePerfOptions.Parse(arguments);
        }
        catch (FormatException e)
        {
            output.WriteLine($"spindle perf nvme: {e.Message}");
            output.WriteLine("Try 'spindle perf nvme --help'.");
            return 2;
        }
        if (options.Help)
        {
            output.WriteLine(NvmePerfOptions.HelpText);
            return 0;
        }
        var report = new PerfReport(output, options.Json, "target");
        report.Begin();
        int exitCode = 0;
        foreach (var pattern in options.Patterns)
        {
            foreach (int queueDepth in options.QueueDepths)
            {
                if (cancellationToken.IsCancellationRequested) break;
                try
                {
                    report.Add(await new NvmePerfRun(context, options, pattern, queueDepth).RunAsync(cancellationToken));
                }
                catch (Exception e) when (e is SpindleException or TimeoutException)
                {
                    report.Failed(options.Address.ToString(), pattern, queueDepth, e.Message);
                    exitCode = 1;
                }
            }
        }
        report.End();
        return cancellationToken.IsCancellationRequested ? 130 : exitCode;
    }
}
