using System.Diagnostics;
using System.Text;

namespace Spindle.Bench.Processes;

/// <summary>A program that ran to its end.</summary>
/// <param name="ExitCode">Its exit status.</param>
/// <param name="Output">Its standard output.</param>
/// <param name="Error">Its standard error.</param>
/// <param name="CommandLine">For messages.</param>
public sealed record CommandRun(int ExitCode, string Output, string Error, string CommandLine)
{
    /// <summary>Runs a program; kills it when it takes too long or the user gives up.</summary>
    /// <param name="program">Its path.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="limit">The longest it may take.</param>
    /// <param name="started">Told the process's number.</param>
    /// <param name="cancellationToken">The user gives up.</param>
    /// <exception cref="BenchException">It took too long, or cannot be started.</exception>
    public static async Task<CommandRun> RunAsync(string program, IReadOnlyList<string> arguments, TimeSpan limit, Action<int>? started = null,
        CancellationToken cancellationToken = default)
    {
        string line = $"{program} {string.Join(' ', arguments.Select(Quoted))}";
        using var process = Start(program, arguments);
        started?.Invoke(process.Id);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(timeout.Token), error = process.StandardError.ReadToEndAsync(timeout.Token);
            await process.WaitForExitAsync(timeout.Token);
            return new CommandRun(process.ExitCode, await output, await error, line);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BenchException($"stopped after {limit.TotalSeconds:0} s: {line}");
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }

    /// <summary>The last lines it wrote, for a message.</summary>
    public string Tail(int lines = 8) => string.Join('\n', (Output + "\n" + Error).Split('\n', '\r').Where(line => line.Trim().Length > 0).TakeLast(lines));

    /// <summary>Starts a program with its output redirected.</summary>
    /// <exception cref="BenchException">It cannot be started.</exception>
    public static Process Start(string program, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(program)
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        try
        {
            var process = Process.Start(start)!;
            process.StandardInput.Close();
            return process;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new BenchException($"cannot start {program}: {e.Message}");
        }
    }

    private static string Quoted(string argument) => argument.AsSpan().ContainsAny(" {}\"'$*") ? $"'{argument}'" : argument;
}
