using System.Diagnostics;
using Spindle.Bdevs;
using Spindle.Blobs;
using Spindle.Modules;

namespace Spindle.Tool.Fsck;

/// <summary>Checks and repairs stores of logical volumes: <c>spindle fsck</c>.</summary>
public sealed class FsckTool : ToolModule
{
    /// <inheritdoc/>
    public override string Name => "tool-fsck";

    /// <inheritdoc/>
    public override async Task<int> RunAsync(IModuleContext context, IReadOnlyList<string> arguments, TextWriter output, CancellationToken cancellationToken)
    {
        FsckOptions options;
        try
        {
            options = FsckOptions.Parse(arguments);
        }
        catch (FormatException e)
        {
            Console.Error.WriteLine($"spindle fsck: {e.Message}\nTry: spindle fsck --help");
            return FsckOptions.Usage;
        }
        if (options.Help)
        {
            output.WriteLine(FsckOptions.HelpText);
            return FsckOptions.InOrder;
        }
        try
        {
            return await RunAsync(context, options, output, cancellationToken);
        }
        catch (SpindleException e)
        {
            Console.Error.WriteLine($"spindle fsck: {options.Name}: {e.Message}");
            return FsckOptions.Failed;
        }
        catch (OperationCanceledException)
        {
            return FsckOptions.Cancelled;
        }
    }

    private static async Task<int> RunAsync(IModuleContext context, FsckOptions options, TextWriter output, CancellationToken cancellationToken)
    {
        var descriptor = context.Bdevs.Open(options.Bdev, options.Repair, static (_, _, _) => { });
        try
        {
            context.Bdevs.Claim(descriptor, options.Repair ? BdevClaimType.ExclusiveWrite : BdevClaimType.ReadManyWriteNone);
            descriptor.Purpose = "fsck";
            var report = new FsckReport(options.Name, output);
            var progress = options.Progress ? Progress(options.Name, cancellationToken) : (_, _) => cancellationToken.ThrowIfCancellationRequested();
            var check = report.Before = await BlobstoreCheck.RunAsync(descriptor, context.Memory, progress);
            if (options.Repair && check.Problems.Count > 0 && !report.IsNoStore)
            {
                try
                {
                    report.Done = await BlobstoreRepair.RunAsync(descriptor, context.Memory, progress);
                }
                catch (SpindleException e) when (e.Errno is Errno.EILSEQ or Errno.ENOTSUP or Errno.ENOSPC)
                {
                    report.NotRepaired = e.Message;
                }
                report.After = await BlobstoreCheck.RunAsync(descriptor, context.Memory, progress);
            }
            if (options.Json) report.WriteJson();
            else report.WriteText();
            return report.ExitCode;
        }
        finally
        {
            descriptor.Close();
        }
    }

    /// <summary>Says how far it is each second, so that one who waits knows that it goes on.</summary>
    private static Action<uint, uint> Progress(string name, CancellationToken cancellationToken)
    {
        var since = Stopwatch.StartNew();
        return (done, all) =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (since.Elapsed.TotalSeconds < 1) return;
            since.Restart();
            Console.Error.WriteLine($"{name}: {done:N0} of {all:N0} metadata pages read ({100.0 * done / all:N0}%)");
        };
    }
}
