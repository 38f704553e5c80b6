using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Spindle.UnitTests.Packages;

/// <summary>The quick start of docs/plugins.md, run as an outsider would: from packages, in a folder, a home and a package cache of its own.</summary>
public sealed class QuickStartTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("spindle-quickstart-").FullName;

    private static string Root
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
        Process.Start("chmod", ["-R", "u+w", _folder]).WaitForExit();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Commands() =>
        Regex.Match(File.ReadAllText(Path.Combine(Root, "docs", "plugins.md")), "```sh\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;

    [Fact]
    [Trait("Category", "Slow")]
    public async Task The_commands_of_the_page_end_with_a_plugin_that_serves_NVMe_TCP()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the commands are for a Unix shell");
        Assert.True(File.Exists(Path.Combine(Root, "testing", "bin", "Release", "net10.0", "Spindle.Testing.dll")), "the solution is not built: ./build.sh build");
        string packages = Path.Combine(_folder, "artifacts", "packages"), bin = Directory.CreateDirectory(Path.Combine(_folder, "bin")).FullName;
        foreach (string project in new[] { "abstractions", "host", "testing", "templates" })
            await RunAsync($"dotnet pack {Root}/{project} -c Release --no-build --nologo -v q -o {packages}", TimeSpan.FromMinutes(2));
        File.WriteAllText(Path.Combine(bin, "spindle"), $"#!/bin/sh\nexec {AppContext.BaseDirectory}spindle \"$@\"\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(Path.Combine(bin, "spindle"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

        // Other tests listen too: the page's port is replaced by a free one, in its commands and in what the template made.
        string port = FreePort().ToString(System.Globalization.CultureInfo.InvariantCulture);
        string script = Commands().Replace("4420", port, StringComparison.Ordinal)
            .Replace("cd Acme.Fast\n", $"cd Acme.Fast\nsed -i s/4420/{port}/ app/config.json\n", StringComparison.Ordinal);
        Assert.Contains("spindle run app &", script);
        var clock = Stopwatch.StartNew();
        string output = await RunAsync($"set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}", TimeSpan.FromMinutes(4));
        Assert.Matches("Failed: 0", output);
        Assert.Contains("acme-fast 1.0.0 is installed", output);
        Assert.Contains("randread", output);
        TestContext.Current.SendDiagnosticMessage($"the quick start took {clock.Elapsed.TotalSeconds:0} s");
    }

    [Fact]
    public void Templates_and_pages_name_the_version_that_is_built()
    {
        string version = XDocument.Load(Path.Combine(Root, "Directory.Build.props")).Descendants("Version").First().Value;
        Assert.Contains($"Spindle.Templates.{version}.nupkg", Commands());
        foreach (string file in Directory.GetFiles(Path.Combine(Root, "templates", "content"), "template.json", SearchOption.AllDirectories))
            Assert.Contains($"\"defaultValue\": \"{version}\"", File.ReadAllText(file));
    }

    [Fact]
    public void The_bdev_of_the_template_fits_on_a_page() =>
        Assert.InRange(File.ReadAllLines(Path.Combine(Root, "templates", "content", "spindle-bdev", "src", "Disk.cs")).Length, 1, 60);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private async Task<string> RunAsync(string script, TimeSpan limit)
    {
        var start = new ProcessStartInfo("bash", ["-c", $"exec 2>&1 </dev/null\n{script}"]) { WorkingDirectory = _folder, RedirectStandardOutput = true };
        string home = Directory.CreateDirectory(Path.Combine(_folder, "home")).FullName;
        foreach (var (name, value) in new (string, string)[]
        {
            ("HOME", home), ("DOTNET_CLI_HOME", home), ("XDG_DATA_HOME", Path.Combine(home, "share")), ("SPINDLE_HOME", Path.Combine(_folder, "spindle")),
            ("NUGET_PACKAGES", Path.Combine(_folder, "packages")), ("MSBUILDDISABLENODEREUSE", "1"), ("DOTNET_NOLOGO", "1"), ("UseSharedCompilation", "false"),
            ("PATH", $"{_folder}/bin:{System.Environment.GetEnvironmentVariable("PATH")}"),
        }) start.Environment[name] = value;
        // The source of other packages is the configured one; only the cache is new.
        string configuration = Path.Combine(System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile), ".nuget", "NuGet", "NuGet.Config");
        if (File.Exists(configuration)) File.Copy(configuration, Path.Combine(_folder, "nuget.config"), overwrite: true);
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
