using System.CommandLine;

namespace Spindle.Cli;

/// <summary>The <c>spindle</c> command: a thin user of the host library.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        UnhandledExceptions.Contain();
        // 'perf' hands what follows the tool's name to the tool, options and all.
        if (arguments is ["perf", ..]) return await PerfCommand.RunAsync(arguments[1..]);

        var root = new RootCommand("Spindle: a userspace storage target host. Modules are plugins; an app is a manifest that names some.")
        {
            RunCommand.Create(), RpcCommand.Create(), ModuleCommand.Create(), PerfCommand.Create(),
        };
        var parsed = root.Parse(arguments);
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
        foreach (var error in parsed.Errors.Select(error => error.Message).Distinct()) Console.Error.WriteLine($"spindle: {error}");
        var path = new List<string>();
        for (var result = parsed.CommandResult; result?.Parent is not null; result = result.Parent as System.CommandLine.Parsing.CommandResult)
            path.Insert(0, result.Command.Name);
        Console.Error.WriteLine($"Try: spindle {string.Concat(path.Select(name => name + " "))}--help");
        return ExitCode.Usage;
    }
}
