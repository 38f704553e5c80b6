// What every target uses: the terminal, arguments, tools.
using System.Diagnostics;
using Files = System.IO.File; // File, Directory and Path are also names of Cake's
using Folders = System.IO.Directory;
using Paths = System.IO.Path;

/// <summary>A build that cannot go on for a reason the user can act on.</summary>
public sealed class BuildFailure : Exception
{
    public BuildFailure(string message) : base(message) { }
}

/// <summary>What the user reads: results and progress on stdout, problems on stderr.</summary>
public static class Terminal
{
    public static void Line(string text) => Console.WriteLine(text);

    public static void Error(string text)
    {
        Console.Out.Flush();
        Console.Error.WriteLine(text);
    }

    /// <summary>Runs a step and prints its name with the time it took.</summary>
    public static void Step(string name, Action action)
    {
        var clock = Stopwatch.StartNew();
        action();
        Line($"{name,-28} {clock.Elapsed.TotalSeconds,7:0.0} s");
    }
}

/// <summary>The arguments behind the target's name: --key value, --key=value, or a bare --flag.</summary>
public sealed class Options
{
    static readonly string[] Flags = { "fast", "verbose" };
    readonly List<KeyValuePair<string, string>> values = new();

    public static Options Parse(string lines)
    {
        var options = new Options();
        var words = new Queue<string>((lines ?? "").Split('\n').Where(word => word.Length > 0));
        while (words.TryDequeue(out var word))
        {
            if (!word.StartsWith("--")) throw Usage($"unexpected argument '{word}'");
            var equals = word.IndexOf('=');
            var key = equals < 0 ? word[2..] : word[2..equals];
            if (Flags.Contains(key)) options.values.Add(new(key, "true"));
            else if (equals >= 0) options.values.Add(new(key, word[(equals + 1)..]));
            else if (words.TryPeek(out var value) && !value.StartsWith("--")) options.values.Add(new(key, words.Dequeue()));
            else throw Usage($"--{key} needs a value");
        }
        return options;
    }

    public bool Verbose => Has("verbose");
    public bool Has(string key) => values.Any(pair => pair.Key == key);
    public string Value(string key) => values.LastOrDefault(pair => pair.Key == key).Value;
    public IReadOnlyList<string> All(string key) => values.Where(pair => pair.Key == key).Select(pair => pair.Value).ToList();
    public string Required(string key) => Value(key) ?? throw new BuildFailure($"--{key} is required (./build.sh --help)");

    /// <summary>Refuses an option that the target does not know.</summary>
    public void Allow(params string[] keys)
    {
        var unknown = values.FirstOrDefault(pair => pair.Key != "verbose" && !keys.Contains(pair.Key)).Key;
        if (unknown is not null) throw new BuildFailure($"this target has no option --{unknown} (./build.sh --help)");
    }

    static Exception Usage(string problem)
    {
        Terminal.Error($"{problem} (./build.sh --help)");
        Environment.Exit(2);
        return new BuildFailure(problem);
    }
}

/// <summary>Runs other programs.</summary>
public static class Tool
{
    public static ProcessStartInfo Start(string folder, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program) { WorkingDirectory = folder, UseShellExecute = false };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        return start;
    }

    /// <summary>Runs a program on the user's terminal; returns its exit status.</summary>
    public static int RunVisibly(string folder, string program, params string[] arguments)
    {
        using var process = Process.Start(Start(folder, program, arguments));
        process.WaitForExit();
        return process.ExitCode;
    }

    /// <summary>
    /// Runs a program with all its output in a file, and kills it with everything it started when its time is up. The file is opened by a
    /// shell, not fed by a pipe: a server process that the program leaves behind would hold a pipe open.
    /// </summary>
    public static Outcome RunToLog(string folder, string log, TimeSpan limit, string program, params string[] arguments)
    {
        Folders.CreateDirectory(Paths.GetDirectoryName(log));
        var shell = new[] { "-c", "exec >\"$0\" 2>&1 </dev/null; exec \"$@\"", log, program };
        using var process = Process.Start(Start(folder, "bash", shell.Concat(arguments).ToArray()));
        if (process.WaitForExit(limit)) return new Outcome(process.ExitCode, false);
        process.Kill(entireProcessTree: true);
        process.WaitForExit(TimeSpan.FromSeconds(10));
        return new Outcome(-1, true);
    }

    public readonly record struct Outcome(int ExitCode, bool TimedOut);
}
