using System.Xml.Linq;

namespace Spindle.UnitTests.Packages;

/// <summary>The samples, built and tested as their readers would: copied elsewhere, from packages.</summary>
[Trait("Category", "Slow")]
public sealed class SampleTests(Outsider outsider)
{
    private static string Samples => Path.Combine(Outsider.Repository, "samples");

    public static TheoryData<string> All => [.. Directory.GetDirectories(Samples).Where(folder => Directory.Exists(Path.Combine(folder, "src"))).Select(folder => Path.GetFileName(folder)!)];

    /// <summary>A copy of a sample, with the feed in its nuget.config.</summary>
    private async Task<string> CopyAsync(string sample)
    {
        string folder = outsider.NewFolder(sample);
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Samples, sample), "*", SearchOption.AllDirectories))
        {
            string path = Path.GetRelativePath(Path.Combine(Samples, sample), file);
            if (path.Split('/').Any(part => part is "bin" or "obj")) continue;
            string copy = Path.Combine(folder, path);
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        string configuration = Path.Combine(folder, "nuget.config"), text = File.ReadAllText(configuration);
        Assert.Contains("\"../../artifacts/packages\"", text);
        File.WriteAllText(configuration, text.Replace("../../artifacts/packages", await outsider.FeedAsync(), StringComparison.Ordinal));
        return folder;
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Its_tests_pass(string sample)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the commands are for a Unix shell");
        string folder = await CopyAsync(sample);
        string output = await outsider.RunAsync(folder, "set -e\ndotnet build tests --nologo -v q\ntests/bin/Debug/net10.0/*.Tests -noColor", TimeSpan.FromMinutes(4));
        Assert.Contains("Failed: 0", output);
        // The conformance suite was run, and is no small part of them.
        Assert.Matches(@"Total: ([4-9]\d|\d{3})", output);
    }

    /// <summary>What the page of plugins says of a signed release, on a sample.</summary>
    [Fact]
    public async Task One_is_signed_packed_and_installed_by_who_trusts_its_vendor()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the commands are for a Unix shell");
        string folder = await CopyAsync("checksum");
        string output = await outsider.RunAsync(folder, """
            set -e
            # The rules of the data path come with the package.
            echo 'namespace Acme.Checksum; internal class Bad { [Spindle.DataPath] object Allocate() => new(); }' > src/Bad.cs
            ! dotnet build src -c Release --nologo -v q > bad.log
            grep -o 'error SPDL013' bad.log
            rm src/Bad.cs
            dotnet build src -c Release --nologo -v q
            spindle module keygen acme
            spindle module sign src/bin/Release/net10.0/modules/acme-checksum/1.0.0 --key acme.key
            dotnet pack src --no-build --nologo -v q -o out
            spindle module install out/Acme.Checksum.1.0.0.nupkg --trust acme.pub
            spindle module verify
            """, TimeSpan.FromMinutes(4));
        Assert.Contains("error SPDL013", output);
        Assert.Matches("acme-checksum 1.0.0 is installed in .*, verified", output);
        Assert.Matches("acme-checksum 1.0.0: ok; signed by key [0-9a-f]{16}, verified", output);
    }

    [Fact]
    public void They_name_the_version_that_is_built_and_refer_to_nothing_else_here()
    {
        string version = XDocument.Load(Path.Combine(Outsider.Repository, "Directory.Build.props")).Descendants("Version").First().Value;
        var projects = Directory.GetFiles(Samples, "*.csproj", SearchOption.AllDirectories);
        Assert.True(projects.Length >= 4);
        foreach (string project in projects)
        {
            var xml = XDocument.Load(project);
            foreach (var package in xml.Descendants("PackageReference").Where(package => package.Attribute("Include")!.Value.StartsWith("Spindle.", StringComparison.Ordinal)))
                Assert.Equal(version, package.Attribute("Version")!.Value);
            string own = Path.GetDirectoryName(Path.GetDirectoryName(project)!)! + "/";
            foreach (var reference in xml.Descendants("ProjectReference"))
                Assert.StartsWith(own, Path.GetFullPath(reference.Attribute("Include")!.Value, Path.GetDirectoryName(project)!));
            // The rules of the data path are on.
            Assert.DoesNotContain("NoWarn", File.ReadAllText(project));
        }
        Assert.DoesNotContain("#pragma warning disable", string.Concat(Directory.GetFiles(Samples, "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText)));
    }
}
