// test: every test project one after another, its results read from xunit's report, one sum at the end. Slow tests that failed have a second run (docs/decisions/0017).
using System.Text.RegularExpressions;
using System.Xml.Linq;

public sealed class TestRun
{
    readonly string root, results;
    readonly Options options;
    readonly TimeSpan limit;
    readonly List<string> selection;
    // Beyond as many, it is not the machine.
    const int MostSecondRuns = 4;

    readonly List<(string Test, string Message)> failures = new(), unstable = new();
    readonly List<(Project Project, string Method, string Test, string Message)> again = new();
    readonly List<(string Reason, string Test)> skips = new();
    int passed;

    public TestRun(string root, Options options)
    {
        this.root = root;
        this.options = options;
        results = Paths.Combine(root, "artifacts", "test-results");
        if (!double.TryParse(options.Value("timeout") ?? "15", out var minutes) || !(minutes > 0 && minutes < 1440))
            throw new BuildFailure("--timeout takes minutes, more than 0");
        limit = TimeSpan.FromMinutes(minutes);
        selection = Selection().ToList();
    }

    public sealed record Project(string Name, string Program);

    /// <summary>The test projects: each folder of tests/ with a project that makes a program.</summary>
    public static IEnumerable<Project> Projects(string root)
    {
        var tests = Paths.Combine(root, "tests");
        if (!Folders.Exists(tests)) yield break;
        foreach (var file in Folders.GetDirectories(tests).Order().SelectMany(folder => Folders.GetFiles(folder, "*.csproj").Order()))
        {
            var name = Paths.GetFileNameWithoutExtension(file);
            if (Files.ReadAllText(file).Contains("\"xunit.v3\""))
                yield return new Project(name, Paths.Combine(Paths.GetDirectoryName(file), "bin", "Release", "net10.0", name));
        }
    }

    /// <summary>Runs the tests and prints what came of them; returns the exit status.</summary>
    public int RunAll()
    {
        if (Folders.Exists(results)) Folders.Delete(results, recursive: true);
        var wanted = options.All("project");
        var projects = Projects(root).Where(project => wanted.Count == 0 ||
            wanted.Any(part => project.Name.Contains(part, StringComparison.OrdinalIgnoreCase))).ToList();
        if (projects.Count == 0) throw new BuildFailure($"no test project is named like --project {string.Join(' ', wanted)}");
        foreach (var project in projects) Terminal.Step(project.Name, () => Run(project));
        if (again.Count > 0) Terminal.Step("second runs", RunAgain);
        Report();
        Terminal.Line($"{passed} passed, {failures.Count} failed, {skips.Count} skipped");
        return failures.Count > 0 || passed + skips.Count == 0 ? 1 : 0;
    }

    void Run(Project project)
    {
        var log = Paths.Combine(results, project.Name + ".log");
        var report = Paths.Combine(results, project.Name + ".xml");
        Folders.CreateDirectory(results);
        var arguments = new[] { "-nologo", "-noColor", "-reporter", "verbose", "-xml", report }.Concat(selection).ToArray();
        var folder = Paths.GetDirectoryName(project.Program);
        var outcome = Tool.RunToLog(folder, log, limit, project.Program, arguments);
        string problem = null;
        if (outcome.TimedOut) problem = $"stopped after {limit.TotalMinutes:0.##} minutes, with everything it had started";
        else if (!Files.Exists(report)) problem = $"ended with exit status {outcome.ExitCode} and without a report";
        else
            try
            {
                var before = failures.Count + again.Count;
                Read(project, XDocument.Load(report));
                if (outcome.ExitCode != 0 && failures.Count + again.Count == before && passed + skips.Count > 0) problem = $"ended with exit status {outcome.ExitCode}";
            }
            catch (System.Xml.XmlException e) { problem = $"left an unreadable report ({e.Message})"; }
        if (problem is not null) failures.Add((project.Name, $"{problem}\n{string.Join('\n', Circumstances(log))}\nall of it: {log}"));
    }

    // Each alone, with nothing beside it. A test of several rows passes when all of them do.
    void RunAgain()
    {
        var methods = again.GroupBy(failed => (failed.Project, failed.Method)).ToList();
        foreach (var method in methods)
        {
            var passes = false;
            if (methods.Count <= MostSecondRuns)
            {
                var log = Paths.Combine(results, $"{method.Key.Method}.again.log");
                var arguments = new[] { "-nologo", "-noColor", "-reporter", "verbose", "-method", method.Key.Method };
                var outcome = Tool.RunToLog(Paths.GetDirectoryName(method.Key.Project.Program), log, limit, method.Key.Project.Program, arguments);
                passes = !outcome.TimedOut && outcome.ExitCode == 0;
            }
            foreach (var (_, _, test, message) in method)
                if (passes) { passed++; unstable.Add((test, message)); }
                else failures.Add((test, message));
        }
    }

    // Which tests had begun and not ended, and what the runtime or the last test said.
    static IEnumerable<string> Circumstances(string log)
    {
        if (!Files.Exists(log)) yield break;
        var lines = Files.ReadAllLines(log).Select(line => line.Length > 200 ? line[..200] + "…" : line).ToList();
        var running = new HashSet<string>();
        foreach (var line in lines)
            if (line.IndexOf(" [STARTING]") is > 0 and var started) running.Add(line[..started].Trim());
            else if (line.IndexOf(" [FINISHED]") is > 0 and var finished) running.Remove(line[..finished].Trim());
        foreach (var test in running) yield return $"was running: {test}";
        var crash = lines.FindIndex(line => Regex.IsMatch(line, "^(Unhandled exception|Process terminated|Fatal error|Stack overflow|Out of memory)"));
        foreach (var line in crash >= 0 ? lines.Skip(crash).Take(15) : lines.TakeLast(15)) yield return "| " + line;
    }

    void Read(Project project, XDocument report)
    {
        foreach (var test in report.Descendants("test"))
        {
            var name = (string)test.Attribute("name");
            switch ((string)test.Attribute("result"))
            {
                case "Pass": passed++; break;
                case "Fail" when IsSlow(test): again.Add((project, $"{(string)test.Attribute("type")}.{(string)test.Attribute("method")}", name, Text(test.Element("failure")))); break;
                case "Fail": failures.Add((name, Text(test.Element("failure")))); break;
                case "NotRun": skips.Add(("it runs only when asked for: -explicit, and what its comment names", name)); break;
                default: skips.Add(((string)test.Element("reason") ?? "no reason given", name)); break;
            }
        }
        // A fixture or a collection that fails to start or to clean up belongs to no test, and is a failure all the same.
        foreach (var error in report.Descendants("error"))
            failures.Add(($"{(string)error.Attribute("type")} {(string)error.Attribute("name")}", Text(error.Element("failure"))));
    }

    static bool IsSlow(XElement test) =>
        test.Descendants("trait").Any(trait => (string)trait.Attribute("name") == "Category" && (string)trait.Attribute("value") == "Slow");

    static string Text(XElement failure) =>
        $"{((string)failure?.Element("message"))?.Trim()}\n{((string)failure?.Element("stack-trace"))?.Trim()}".Trim();

    void Report()
    {
        foreach (var (test, message) in failures)
            Terminal.Line($"\nFAILED {test}\n  {message.Replace("\n", "\n  ")}");
        foreach (var (test, message) in unstable)
            Terminal.Line($"\nUNSTABLE {test}: it passed when it was run again, alone. The first time:\n  {message.Replace("\n", "\n  ")}");
        if (failures.Count + unstable.Count > 0) Terminal.Line($"\nLogs: {results}\n");
        foreach (var group in skips.GroupBy(skip => skip.Reason).OrderByDescending(group => group.Count()))
            Terminal.Line($"skipped {group.Count(),4}: {group.Key}");
        if (passed + failures.Count + skips.Count == 0) Terminal.Error("no test was selected");
    }

    /// <summary>The runner's arguments for --filter and --fast.</summary>
    IEnumerable<string> Selection()
    {
        var filter = options.Value("filter") ?? "";
        if (filter.StartsWith('/'))
        {
            if (options.Has("fast")) throw new BuildFailure("--fast does not go with a query; add [Category!=Slow] to the query");
            return new[] { "-filter", filter };
        }
        var arguments = new List<string>();
        foreach (var part in filter.Split('&', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var at = part.IndexOfAny(new[] { '=', '~' });
            var key = at < 0 ? "FullyQualifiedName" : part[..at].TrimEnd('!');
            var value = at < 0 ? part : part[(at + 1)..];
            var not = at > 0 && part[at - 1] == '!' ? "-" : "";
            var exact = at >= 0 && part[at] == '=';
            if (part.Contains('|')) throw new BuildFailure("--filter: '|' is not understood; use a query of xunit's ('/…')");
            arguments.AddRange(key is "FullyQualifiedName" or "DisplayName" or "Name"
                ? new[] { "-method" + not, exact ? value : $"*{value}*" }
                : new[] { "-trait" + not, $"{key}={value}" });
        }
        if (options.Has("fast")) arguments.AddRange(new[] { "-trait-", "Category=Slow" });
        return arguments;
    }
}
