using System.Diagnostics;

namespace Spindle.InteropTests.Processes;

/// <summary>What a program that runs to its end left behind.</summary>
/// <param name="ExitCode">Its exit status.</param>
/// <param name="Output">Its standard output.</param>
/// <param name="Error">Its standard error.</param>
public sealed record CommandResult(int ExitCode, string Output, string Error)
{
    /// <summary>Runs a program and waits for its end; kills it, and fails, after two minutes.</summary>
    /// <param name="program">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="input">Its standard input; empty when null.</param>
    /// <param name="ct">Gives up.</param>
    public static async Task<CommandResult> RunAsync(string program, IEnumerable<string> arguments, string? input = null, CancellationToken ct = default)
    {
        var start = new ProcessStartInfo(program)
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        using var guard = new ChildGuard(process);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(TimeSpan.FromMinutes(2));
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token), error = process.StandardError.ReadToEndAsync(limit.Token);
            await process.StandardInput.WriteAsync(input ?? "");
            process.StandardInput.Close();
            await process.WaitForExitAsync(limit.Token);
            var result = new CommandResult(process.ExitCode, await output, await error);
            TestContext.Current.TestOutputHelper?.WriteLine($"$ {program} {string.Join(' ', start.ArgumentList)}\n{result.Output}{result.Error}exit status {result.ExitCode}");
            return result;
        }
        catch
        {
            if (!process.HasExited) process.Kill();
            throw;
        }
    }
}
