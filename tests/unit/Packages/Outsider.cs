using System.Diagnostics;

[assembly: AssemblyFixture(typeof(Spindle.UnitTests.Packages.Outsider))]

namespace Spindle.UnitTests.Packages;

/// <summary>Somebody outside this repository: has Spindle's packages, the spindle command, a package cache of their own, and a home for each folder they work in. Packs once for all tests.</summary>
public sealed class Outsider : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("spindle-outsider-").FullName;
    private readonly Lazy<Task<string>> _feed;
    private int _folders;

    public Outsider()
    {
        _feed = new Lazy<Task<string>>(PackAsync);
        // The source of other packages is the configured one; only the cache is new.
        string configuration = Path.Combine(System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile), ".nuget", "NuGet", "NuGet.Config");
        if (File.Exists(configuration)) File.Copy(configuration, Path.Combine(_root, "nuget.config"));
    }

    /// <summary>The repository.</summary>
    public static string Repository
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(folder!.FullName, "build.cake"))) folder = folder.Parent;
            return folder.FullName;
        }
    }

    public void Dispose()
    {
        // Installed modules are read-only.
        Process.Start("chmod", ["-R", "u+w", _root]).WaitForExit();
        Directory.Delete(_root, recursive: true);
    }

    /// <summary>A folder with a package feed: what './build.sh pack' makes of what is built.</summary>
    public Task<string> FeedAsync() => _feed.Value;

    /// <summary>A new folder to work in.</summary>
    public string NewFolder(string name) => Directory.CreateDirectory(Path.Combine(_root, $"{name}-{Interlocked.Increment(ref _folders)}")).FullName;

    private async Task<string> PackAsync()
    {
        Assert.True(File.Exists(Path.Combine(Repository, "testing", "bin", "Release", "net10.0", "Spindle.Testing.dll")), "the solution is not built: ./build.sh build");
        string packages = Path.Combine(_root, "feed"), bin = Directory.CreateDirectory(Path.Combine(_root, "bin")).FullName;
        foreach (string project in new[] { "abstractions", "libs/dif", "host", "testing", "templates" })
            await RunAsync(_root, $"dotnet pack {Repository}/{project} -c Release --no-build --nologo -v q -o {packages}", TimeSpan.FromMinutes(2));
        File.WriteAllText(Path.Combine(bin, "spindle"), $"#!/bin/sh\nexec {AppContext.BaseDirectory}spindle \"$@\"\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(Path.Combine(bin, "spindle"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return packages;
    }

    /// <summary>Runs shell commands in a folder; they must succeed within a time.</summary>
    /// <returns>What they printed.</returns>
    public async Task<string> RunAsync(string folder, string script, TimeSpan limit)
    {
        var start = new ProcessStartInfo("bash", ["-c", $"exec 2>&1 </dev/null\n{script}"]) { WorkingDirectory = folder, RedirectStandardOutput = true };
        // Tests run beside each other, and the templates that one installs are in its home.
        string home = Directory.CreateDirectory(Path.Combine(folder, "home")).FullName;
        foreach (var (name, value) in new (string, string)[]
        {
            ("HOME", home), ("DOTNET_CLI_HOME", home), ("XDG_DATA_HOME", Path.Combine(home, "share")), ("SPINDLE_HOME", Path.Combine(folder, "spindle")),
            ("NUGET_PACKAGES", Path.Combine(_root, "packages")), ("MSBUILDDISABLENODEREUSE", "1"), ("DOTNET_NOLOGO", "1"), ("UseSharedCompilation", "false"),
            ("PATH", $"{_root}/bin:{System.Environment.GetEnvironmentVariable("PATH")}"),
        }) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        try
        {
            await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            // What was left behind may hold the pipe open.
            Assert.Fail($"not done within {limit}:\n{(await Task.WhenAny(output, Task.Delay(2000)) == output ? await output : "(its output is still held by a process it left)")}");
        }
        string text = await output.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.True(process.ExitCode == 0, $"exit status {process.ExitCode}:\n{text}");
        return text;
    }
}
