namespace Spindle.InteropTests.Processes;

/// <summary>
/// Tools that a test needs and that a developer's machine may lack. Without them the test is skipped, with the remedy; in CI (CI=true, or
/// SPINDLE_REQUIRE_TOOLS=1) it fails, so that nothing goes untested unnoticed.
/// </summary>
public static class RequiredTool
{
    const string Remedy = "./build.sh deps";

    /// <summary>True where a missing tool is a failure.</summary>
    public static bool Strict =>
        Environment.GetEnvironmentVariable("CI") is "true" or "1" || Environment.GetEnvironmentVariable("SPINDLE_REQUIRE_TOOLS") is "true" or "1";

    /// <summary>The full path of a program; skips or fails the test where there is none.</summary>
    /// <param name="program">The program's name.</param>
    public static string Find(string program) => Locate(program) ?? throw Missing($"{program} is not installed", Remedy);

    /// <summary>Skips or fails the test unless all the programs are there.</summary>
    /// <param name="programs">The programs' names.</param>
    public static void Require(params string[] programs)
    {
        var missing = programs.Where(program => Locate(program) is null).ToList();
        if (missing.Count > 0) throw Missing($"not installed: {string.Join(", ", missing)}", Remedy);
    }

    /// <summary>Skips the test, or fails it where tools are required.</summary>
    /// <param name="what">What is missing.</param>
    /// <param name="remedy">The command that brings it.</param>
    /// <returns>Nothing: it always throws. The type lets callers write <c>throw Missing(…)</c>.</returns>
    public static Exception Missing(string what, string remedy)
    {
        if (Strict) Assert.Fail($"{what}; {remedy} (a missing tool is a failure here: CI or SPINDLE_REQUIRE_TOOLS is set)");
        Assert.Skip($"{what}; {remedy}");
        return new InvalidOperationException(what);
    }

    // The administrator's folders are not on every user's PATH.
    static string? Locate(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Concat(["/usr/sbin", "/sbin", "/usr/local/sbin"])
        .Where(folder => folder.Length > 0).Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
}
