// build and pack: restore, compile and publish with one line per step, and nothing at all when all is up to date.
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

public sealed class SolutionBuild
{
    const string Solution = "Spindle.slnx";
    static readonly string[] SourceFolders = { "abstractions", "build", "host", "libs", "modules", "samples", "templates", "testing", "tests" };

    readonly string root, artifacts, stampFile;
    readonly bool verbose;
    bool readyToRun = true;

    public SolutionBuild(string root, Options options)
    {
        this.root = root;
        artifacts = Paths.Combine(root, "artifacts");
        stampFile = Paths.Combine(artifacts, ".build-stamp");
        verbose = options.Verbose;
        // A build node that stays behind to be reused would be the next build's speed and a test machine's litter.
        Environment.SetEnvironmentVariable("MSBUILDDISABLENODEREUSE", "1");
    }

    public void Build()
    {
        if (Files.Exists(stampFile) && Files.ReadAllText(stampFile) == Stamp())
        {
            Terminal.Line("build                        up to date");
            return;
        }
        Files.Delete(stampFile);
        RemoveStaleModules();
        Terminal.Step("restore", Restore);
        Terminal.Step("build", () => MustSucceed("build", "build", Solution, "-c", "Release", "--no-restore"));
        Terminal.Step(readyToRun ? "publish (ReadyToRun)" : "publish", Publish);
        Files.WriteAllText(stampFile, Stamp());
    }

    public void Pack() => Terminal.Step("pack: artifacts/packages", () =>
        MustSucceed("pack", "pack", Solution, "-c", "Release", "--no-build", "-o", Paths.Combine(artifacts, "packages")));

    // ReadyToRun needs a compiler from the package feed; a feed without it costs the program some start-up time, not the build.
    void Restore()
    {
        if (Dotnet("restore", "restore", Solution) == 0) return;
        var log = Files.ReadAllText(Log("restore"));
        if (!log.Contains("crossgen", StringComparison.OrdinalIgnoreCase)) throw Failure("restore");
        Terminal.Line("no ReadyToRun: the package feed has no crossgen2 for this SDK; spindle will start more slowly");
        readyToRun = false;
        MustSucceed("restore", "restore", Solution);
    }

    void Publish()
    {
        var bin = Paths.Combine(artifacts, "bin");
        MustSucceed("publish", "publish", "host/Cli/Spindle.Cli.csproj", "-c", "Release", "--no-build", "-o", bin);
        Launcher.Write(root, artifacts);
    }

    // A module that was renamed or removed must not be loaded from an earlier build's leftovers.
    void RemoveStaleModules()
    {
        var built = Paths.Combine(artifacts, "modules");
        if (!Folders.Exists(built)) return;
        foreach (var folder in Folders.GetDirectories(built))
            if (!Folders.Exists(Paths.Combine(root, "modules", Paths.GetFileName(folder))))
                Folders.Delete(folder, recursive: true);
    }

    string Log(string step) => Paths.Combine(artifacts, "logs", step + ".log");

    int Dotnet(string step, params string[] arguments)
    {
        var all = arguments.Concat(new[] { "--nologo", "-v", verbose ? "n" : "q", "-tl:off", "-clp:NoSummary" });
        if (arguments[0] == "restore") all = all.Where(argument => argument != "--nologo");
        all = all.Append($"-p:SpindleReadyToRun={(readyToRun ? "true" : "false")}");
        var exit = Tool.RunToLog(root, Log(step), TimeSpan.FromMinutes(20), "dotnet", all.ToArray()).ExitCode;
        if (verbose) foreach (var line in Files.ReadLines(Log(step))) Terminal.Line(line);
        return exit;
    }

    void MustSucceed(string step, params string[] arguments)
    {
        if (Dotnet(step, arguments) != 0) throw Failure(step);
    }

    BuildFailure Failure(string step)
    {
        var text = Files.ReadAllLines(Log(step));
        var errors = text.Where(line => Regex.IsMatch(line, @"\berror\b")).Select(line => Regex.Replace(line.Trim(), @" \[[^\]]*proj\]$", ""))
            .Distinct().Take(40).ToList();
        if (errors.Count == 0) errors = text.TakeLast(20).ToList();
        return new BuildFailure($"{string.Join('\n', errors)}\n{step} failed; all of it: {Log(step)}");
    }

    /// <summary>All inputs and outputs by name, size and time, as one hash. A build by hand into the same folders changes it too.</summary>
    string Stamp()
    {
        var files = SourceFolders.Select(folder => Paths.Combine(root, folder)).Where(Folders.Exists).SelectMany(Sources)
            .Concat(Folders.GetFiles(root).Where(file => Regex.IsMatch(file, @"\.(props|targets|slnx|json|editorconfig|config)$")))
            .Concat(new[] { "bin", "modules" }.Select(folder => Paths.Combine(artifacts, folder)).Where(Folders.Exists)
                .SelectMany(folder => Folders.EnumerateFiles(folder, "*", SearchOption.AllDirectories)))
            .Concat(TestRun.Projects(root).Select(project => project.Program).Where(Files.Exists))
            .Select(file => new FileInfo(file)).OrderBy(file => file.FullName, StringComparer.Ordinal);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in files)
            hash.AppendData(Encoding.UTF8.GetBytes($"{file.FullName}|{file.Length}|{file.LastWriteTimeUtc.Ticks}\n"));
        hash.AppendData(Encoding.UTF8.GetBytes($"{Files.Exists(Paths.Combine(artifacts, "spindle"))}"));
        return Convert.ToHexString(hash.GetHashAndReset());
    }

    static IEnumerable<string> Sources(string folder) =>
        Folders.GetFiles(folder).Concat(Folders.GetDirectories(folder)
            .Where(child => Paths.GetFileName(child) is not ("bin" or "obj" or "TestResults")).SelectMany(Sources));
}

/// <summary>The command itself: a script beside bin/, which finds the runtime and becomes the program.</summary>
public static class Launcher
{
    public static void Write(string root, string folder) =>
        Files.Copy(Paths.Combine(root, "build", "launcher.sh"), Paths.Combine(folder, "spindle"), overwrite: true);
}
