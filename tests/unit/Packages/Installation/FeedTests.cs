using System.Diagnostics;
using Spindle.Cli;
using Spindle.Host.Modules;
using Spindle.Host.Modules.Installation;

namespace Spindle.UnitTests.Packages.Installation;

/// <summary>Which package of which feed it is. The feeds are folders: NuGet's own client reads them.</summary>
public sealed class FeedTests : InstallFixture
{
    private async Task<(string Version, string Source)> FindAsync(string? version, params string[] sources)
    {
        using var found = await NuGetFeeds.DownloadAsync("acme-disk", version, sources, TestContext.Current.CancellationToken);
        return (Store.Install(found.Path, found.Source).Version, found.Source);
    }

    private async Task<string> NotFoundAsync(string id, string? version, params string[] sources)
    {
        var before = TemporaryPackages();
        var error = await Assert.ThrowsAsync<ModuleException>(() => NuGetFeeds.DownloadAsync(id, version, sources, TestContext.Current.CancellationToken));
        Assert.Equal(ModuleErrorCode.PackageNotFound, error.Code);
        Assert.Empty(TemporaryPackages().Except(before));
        return error.Message;
    }

    // Tests of other processes may have some meanwhile: only this process's are looked at.
    private static IReadOnlyList<string> TemporaryPackages() => Directory.GetFiles(Path.GetTempPath(), $"spindle-{System.Environment.ProcessId}-*.nupkg");

    [Theory]
    [InlineData(null, "1.10.0")]
    [InlineData("1.2.0", "1.2.0")]
    [InlineData("1.2", "1.2.0")]
    [InlineData("[1.0,1.10)", "1.2.0")]
    [InlineData("[1.0,2.0)", "1.10.0")]
    [InlineData("2.0.0-beta.1", "2.0.0-beta.1")]
    public async Task The_highest_release_or_what_the_pin_or_range_says(string? version, string expected)
    {
        foreach (string one in new[] { "1.0.0", "1.2.0", "1.10.0", "2.0.0-beta.1" }) PackageFile.Of(one).WriteTo(Feed);
        var (found, source) = await FindAsync(version, Feed);
        Assert.Equal(expected, found);
        Assert.Equal($"{Feed} acme-disk {expected}", source);
        Assert.Equal(source, Assert.Single(Store.Locked).Source);
        Assert.Empty(TemporaryPackages());
    }

    [Fact]
    public async Task The_highest_of_several_feeds_also_when_one_is_not_there()
    {
        string other = Path.Combine(Root, "other");
        PackageFile.Of("1.0.0").WriteTo(Feed);
        PackageFile.Of("1.1.0").WriteTo(other);
        Assert.Equal("1.1.0", (await FindAsync(null, Feed, Path.Combine(Root, "nowhere"), other)).Version);
    }

    [Fact]
    public async Task What_there_is_instead_is_told()
    {
        PackageFile.Of("1.0.0").WriteTo(Feed);
        Assert.Contains("(1.0.0)", await NotFoundAsync("acme-disk", "3.0.0", Feed));
        Assert.Contains("(1.0.0)", await NotFoundAsync("acme-disk", "[2.0,3.0)", Feed));
        Assert.Contains("not there", await NotFoundAsync("acme-other", null, Feed));
        Assert.Contains("does not answer", await NotFoundAsync("acme-disk", null, Path.Combine(Root, "nowhere")));
        // Nothing listens on port 9 of this machine.
        Assert.Contains("does not answer", await NotFoundAsync("acme-disk", null, "http://127.0.0.1:9/index.json"));
        Assert.Contains("is no version", await NotFoundAsync("acme-disk", "one", Feed));
        Assert.Contains("is no version", await NotFoundAsync("acme-disk", "", Feed));
        PackageFile.Of("2.0.0-beta.1", "acme-beta").WriteTo(Feed);
        Assert.Contains("2.0.0-beta.1", await NotFoundAsync("acme-beta", null, Feed));
    }

    [Theory]
    [InlineData("../acme-disk")]
    [InlineData("acme disk")]
    [InlineData("")]
    public async Task An_id_is_no_path(string id)
    {
        PackageFile.Of().WriteTo(Root);
        Directory.CreateDirectory(Feed);
        Assert.Contains("package id", await NotFoundAsync(id, null, Feed));
    }

    [Fact]
    public async Task A_damaged_package_in_a_feed_is_told()
    {
        File.WriteAllText(Path.Combine(Directory.CreateDirectory(Feed).FullName, "acme-disk.1.0.0.nupkg"), "no package");
        Assert.Contains(Feed, await NotFoundAsync("acme-disk", null, Feed));
    }

    [Fact]
    [Trait("Category", "Slow")]
    public async Task A_NuGet_configuration_that_is_none_is_told()
    {
        File.WriteAllText(Path.Combine(Root, "nuget.config"), "<configuration><packageSources>");
        var (exitCode, _, error) = await RunAsync("module", "install", "acme-disk", "--modules", Store.Folder);
        Assert.Equal(1, exitCode);
        Assert.Contains("nuget.config", error, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("   at ", error);
    }

    /// <summary>The commands as a user has them, with a feed named by a path relative to where they stand.</summary>
    [Fact]
    [Trait("Category", "Slow")]
    public async Task Install_list_verify_and_remove_from_the_command_line()
    {
        string folder = Store.Folder, pub = Key("acme") + ".pub";
        foreach (string version in new[] { "1.0.0", "1.1.0" }) PackageFile.Of(version).Sign(Key("acme") + ".key").WriteTo(Feed);

        var installed = await SucceedsAsync("module", "install", "acme-disk@1.0.0", "--source", "feed", "--modules", "modules");
        Assert.Contains($"acme-disk 1.0.0 is installed in {VersionFolder()}", installed);
        Assert.Contains("not checked", installed);
        Assert.Contains("verified", await SucceedsAsync("module", "install", Path.Combine("feed", "acme-disk.1.1.0.nupkg"), "--modules", folder, "--trust", pub));
        Assert.Equal(Path.Combine(Feed, "acme-disk.1.1.0.nupkg"), Store.Locked[1].Source);

        string list = await SucceedsAsync("module", "list", "--modules", "modules", "--json");
        Assert.Contains("\"version\": \"1.0.0\"", list);
        Assert.Contains("\"version\": \"1.1.0\"", list);

        Assert.Contains("acme-disk 1.1.0: ok", await SucceedsAsync("module", "verify", "--modules", "modules", "--trust", pub));
        Alter(Path.Combine(VersionFolder(), "notes.txt"), file => File.AppendAllText(file, "!"));
        var (exitCode, output, error) = await RunAsync("module", "verify", "acme-disk", "--modules", folder);
        Assert.Equal(1, exitCode);
        Assert.Contains("acme-disk 1.1.0: ok", output);
        Assert.Contains("acme-disk 1.0.0: notes.txt has the SHA-256", error);

        Assert.Contains("acme-disk 1.0.0 is removed", await SucceedsAsync("module", "remove", "acme-disk@1.0.0", "--modules", "modules"));
        (exitCode, _, error) = await RunAsync("module", "remove", "acme-disk@1.0.0", "--modules", folder);
        Assert.Equal(1, exitCode);
        Assert.Contains("there is 1.1.0", error);
    }

    private async Task<string> SucceedsAsync(params string[] arguments)
    {
        var (exitCode, output, error) = await RunAsync(arguments);
        Assert.True(exitCode == 0, error);
        return output;
    }

    private async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "spindle.dll"), .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Root,
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await error);
    }
}
