namespace Spindle.InteropTests.Processes;

/// <summary>Where things lie in the working tree the tests were built from.</summary>
public static class Repository
{
    /// <summary>The folder with Spindle.slnx.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The build's results.</summary>
    public static string Artifacts => Path.Combine(Root, "artifacts");

    /// <summary>The command line that <c>./build.sh build</c> makes.</summary>
    public static string Spindle => Path.Combine(Artifacts, "spindle");

    /// <summary>A folder for the logs of the running test, emptied by its next run.</summary>
    /// <param name="kind">What is logged, a word.</param>
    public static string LogFolder(string kind)
    {
        var test = TestContext.Current.Test?.TestDisplayName ?? "no-test";
        var name = string.Concat(test.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' ? c : '_'));
        var folder = Path.Combine(Artifacts, "test-results", "logs", name.Length > 120 ? name[..120] : name);
        Directory.CreateDirectory(folder);
        for (var n = 1; ; n++)
        {
            var path = Path.Combine(folder, $"{kind}-{Environment.ProcessId}-{n}");
            if (Directory.Exists(path)) continue;
            foreach (var old in Directory.GetDirectories(folder, kind + "-*").Where(old => !old.Contains($"-{Environment.ProcessId}-")))
                Directory.Delete(old, recursive: true);
            return Directory.CreateDirectory(path).FullName;
        }
    }

    static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Spindle.slnx"))) return folder.FullName;
        throw new InvalidOperationException($"There is no Spindle.slnx above {AppContext.BaseDirectory}.");
    }
}
