using Spindle.Host.Hosting;
using Spindle.Modules;

namespace Spindle.UnitTests.Contract;

/// <summary>The contract changes only by review, and with the version that the change needs.</summary>
public sealed class PublicApiTests
{
    private static string Folder
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(folder!.FullName, "build.cake"))) folder = folder.Parent;
            return Path.Combine(folder.FullName, "abstractions");
        }
    }

    private static List<string> Surface => ApiSurface.Of(typeof(PluginModule).Assembly);

    private static (Version? Version, List<string> Lines) Read(string file)
    {
        var lines = File.ReadAllLines(Path.Combine(Folder, file)).Where(line => line.Length > 0).ToList();
        return (Version.TryParse(lines[0].TrimStart('#', ' '), out var version) ? version : null, [.. lines.Where(line => line[0] != '#')]);
    }

    [Fact]
    public void The_surface_is_the_reviewed_one()
    {
        if (System.Environment.GetEnvironmentVariable("SPINDLE_ACCEPT_API") == "1")
            File.WriteAllText(Path.Combine(Folder, "PublicApi.txt"), "# The contract's public surface, as reviewed. Made by SPINDLE_ACCEPT_API=1 and PublicApiTests.\n" + string.Join('\n', Surface) + "\n");
        var change = ApiChange.Between(Read("PublicApi.txt").Lines, Surface);
        Assert.True(change.Breaking.Count + change.Added.Count == 0,
            $"The contract differs from abstractions/PublicApi.txt.\nBreaking:\n  {string.Join("\n  ", change.Breaking)}\nAdded:\n  {string.Join("\n  ", change.Added)}\n"
            + "If it is meant: SPINDLE_ACCEPT_API=1 ./build.sh test --filter PublicApiTests writes the file; commit it with the change.");
    }

    [Fact]
    public void The_version_is_the_one_that_the_changes_since_the_last_release_need()
    {
        var (released, lines) = Read("PublicApi.Released.txt");
        // Before the first release there is no surface to keep.
        Assert.NotNull(released);
        var change = ApiChange.Between(lines, Surface);
        var version = typeof(PluginModule).Assembly.GetName().Version!;
        Assert.True(new Version(version.Major, version.Minor, Math.Max(0, version.Build)) >= change.Required(released),
            $"The contract is {version.ToString(3)}; these changes since {released} need {change.Required(released)} (Version in Directory.Build.props):\n  {string.Join("\n  ", change.Breaking.Concat(change.Added))}");
    }

    private static readonly string[] s_surface = ["A.Disk : abstract class", "A.Disk.Read() -> Void virtual", "A.IHost : interface", "A.IHost.Go() -> Void", "Spindle.Rpc.IRpcResult : interface"];

    [Theory]
    [InlineData("0.3.1", "0.3.1", "", "")]
    [InlineData("0.3.1", "0.4.0", "A.Disk.Read() -> Void virtual", "")]
    [InlineData("0.3.1", "0.4.0", "A.Disk.Read() -> Void virtual", "A.Disk.Read(Int32 x) -> Void virtual")]
    [InlineData("0.3.1", "0.3.2", "", "A.Disk.Write() -> Void virtual")]
    [InlineData("1.2.3", "2.0.0", "A.IHost.Go() -> Void", "")]
    [InlineData("1.2.3", "1.3.0", "", "A.IHost.Stop() -> Void")]
    [InlineData("1.2.3", "2.0.0", "", "A.Disk.Write() -> Void abstract")]
    [InlineData("1.2.3", "2.0.0", "", "A.Disk.Write() -> Void abstract protected")]
    [InlineData("1.2.3", "2.0.0", "", "Spindle.Rpc.IRpcResult.More() -> Void")]
    [InlineData("1.2.3", "1.3.0", "", "A.Tape.Write() -> Void abstract")]
    public void A_change_needs_its_version(string released, string required, string removed, string added)
    {
        var after = s_surface.Where(line => line != removed).Concat(added.Length > 0 ? [added] : Array.Empty<string>());
        Assert.Equal(Version.Parse(required), ApiChange.Between(s_surface, after).Required(Version.Parse(released)));
    }

    [Fact]
    public async Task A_plugin_built_against_an_older_contract_loads_and_works()
    {
        string modules = Path.Combine(Folder, "..", "tests", "unit", "Contract", "OldPlugin", "modules");
        await using var host = await SpindleHost.StartAsync(new SpindleHostOptions { ModuleFolders = [modules], Modules = [new("acme-old")] });
        Assert.Equal("\"Old0\"", await host.CallAsync("acme_old_create", """{ "name": "Old0" }"""));
        Assert.Equal(2048ul, host.Bdevs.Find("Old0")!.BlockCount);
    }
}
