using System.CommandLine;
using Spindle.Host.Faults;

namespace Spindle.Cli;

/// <summary>The <c>spindle</c> command: a thin user of the host library.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        UncaughtExceptions.Contain();
        // 'perf' hands what follows the tool's name to the tool, options and all.
        if (arguments is ["perf", ..]) return await PerfCommand.RunAsync(arguments[1..]);

        var root = new RootCommand("Spindle: a userspace storage target host. Modules are plugins; an app is a manifest that names some.")
        {
            RunCommand.Create(), RpcCommand.Create(), StackCommand.Create(), ModuleCommand.Create(), PerfCommand.Create(), CompletionCommand.Create(),
        };
        var parsed = root.Parse(arguments);
        if (arguments is [['[', ..], ..]) return await parsed.InvokeAsync(); // a shell asks what may follow
        if (RpcCommand.HelpAsync(parsed) is { } help) return await help;
        if (parsed.Errors.Count > 0) return Usage(parsed);
        if (arguments.Length == 0) parsed = root.Parse(["--help"]);
        return await parsed.InvokeAsync(new InvocationConfiguration
        {
            // Signals are the commands' own business: 'run' drains before it ends.
            ProcessTerminationTimeout = null, EnableDefaultExceptionHandler = false,
        });
    }

    private static int Usage(ParseResult parsed)
    {
        // What is wrong with a word says more than that another is missing.
        var errors = parsed.Errors.Select(error => error.Message).Distinct().ToList();
        if (parsed.UnmatchedTokens.Count > 0 && errors.Count > 1) errors.RemoveAll(error => error.StartsWith("Required command", StringComparison.Ordinal));
        foreach (var error in errors) Console.Error.WriteLine($"spindle: {error}");
        var path = new List<string>();
        for (var result = parsed.CommandResult; result?.Parent is not null; result = result.Parent as System.CommandLine.Parsing.CommandResult)
            path.Insert(0, result.Command.Name);
        Console.Error.WriteLine($"Try: spindle {string.Concat(path.Select(name => name + " "))}--help");
        return ExitCode.Usage;
    }
}
