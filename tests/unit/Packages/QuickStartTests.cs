using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Spindle.UnitTests.Packages;

/// <summary>The quick start of docs/plugins.md, run as an outsider would: from packages, in a folder, a home and a package cache of its own.</summary>
public sealed class QuickStartTests(Outsider outsider)
{
    private static string Commands() =>
        Regex.Match(File.ReadAllText(Path.Combine(Outsider.Repository, "docs", "plugins.md")), "```sh\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;

    [Fact]
    [Trait("Category", "Slow")]
    public async Task The_commands_of_the_page_end_with_a_plugin_that_serves_NVMe_TCP()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the commands are for a Unix shell");
        string folder = outsider.NewFolder("quickstart");
        Directory.CreateSymbolicLink(Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "artifacts")).FullName, "packages"), await outsider.FeedAsync());

        // Other tests listen too: the page's port is replaced by a free one, in its commands and in what the template made.
        string port = FreePort().ToString(System.Globalization.CultureInfo.InvariantCulture);
        string script = Commands().Replace("4420", port, StringComparison.Ordinal)
            .Replace("cd Acme.Fast\n", $"cd Acme.Fast\nsed -i s/4420/{port}/ app/config.json\n", StringComparison.Ordinal);
        Assert.Contains("spindle run app &", script);
        var clock = Stopwatch.StartNew();
        string output = await outsider.RunAsync(folder, $"set -e\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}", TimeSpan.FromMinutes(4));
        Assert.Matches("Failed: 0", output);
        Assert.Contains("acme-fast 1.0.0 is installed", output);
        Assert.Contains("randread", output);
        TestContext.Current.SendDiagnosticMessage($"the quick start took {clock.Elapsed.TotalSeconds:0} s");
    }

    [Fact]
    public void Templates_and_pages_name_the_version_that_is_built()
    {
        string version = XDocument.Load(Path.Combine(Outsider.Repository, "Directory.Build.props")).Descendants("Version").First().Value;
        Assert.Contains($"Spindle.Templates.{version}.nupkg", Commands());
        foreach (string file in Directory.GetFiles(Path.Combine(Outsider.Repository, "templates", "content"), "template.json", SearchOption.AllDirectories))
            Assert.Contains($"\"defaultValue\": \"{version}\"", File.ReadAllText(file));
    }

    [Fact]
    public void The_bdev_of_the_template_fits_on_a_page() =>
        Assert.InRange(File.ReadAllLines(Path.Combine(Outsider.Repository, "templates", "content", "spindle-bdev", "src", "Disk.cs")).Length, 1, 60);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
