using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Spindle.Host.Hosting;
using Spindle.Host.Manifests;
using Spindle.Host.Modules;
using Spindle.Host.Modules.Installation;

namespace Spindle.UnitTests.Packages.Installation;

/// <summary>A package becomes a version in a folder: whole, read-only, recorded; or nothing.</summary>
public sealed class InstallTests : InstallFixture
{
    private static string Hash(string file) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));

    [Fact]
    public void The_lock_file_has_the_source_and_the_hashes_of_the_package_and_of_every_file()
    {
        string package = PackageFile.Of().WriteTo(Feed);
        Store.Install(package, "https://feed.example/index.json acme-disk 1.0.0");
        var json = JsonNode.Parse(File.ReadAllText(LockFile))!;
        Assert.Equal(1, (int)json["version"]!);
        var module = Assert.Single(json["modules"]!.AsArray())!;
        Assert.Equal(("acme-disk", "1.0.0"), ((string)module["name"]!, (string)module["version"]!));
        Assert.Equal("https://feed.example/index.json acme-disk 1.0.0", (string)module["source"]!);
        Assert.Equal(Hash(package), (string)module["package"]!);
        Assert.Equal(["Fixture.dll", "data/table.bin", "module.json", "notes.txt"], module["files"]!.AsObject().Select(file => file.Key));
        Assert.All(module["files"]!.AsObject(), file => Assert.Equal(Hash(Path.Combine(VersionFolder(), file.Key)), (string)file.Value!));
        Assert.Null(module["signature"]);
    }

    [Fact]
    public void What_is_installed_is_read_only()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "file modes are those of Unix");
        Install(PackageFile.Of());
        if (OperatingSystem.IsWindows()) return;
        const UnixFileMode write = UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
        foreach (string entry in Directory.EnumerateFileSystemEntries(VersionFolder(), "*", SearchOption.AllDirectories).Append(VersionFolder()))
            Assert.Equal((UnixFileMode)0, File.GetUnixFileMode(entry) & write);
    }

    [Fact]
    public void Versions_stand_side_by_side()
    {
        foreach (string version in new[] { "1.0.0", "1.2.0", "2.0.0" }) Install(PackageFile.Of(version));
        Assert.Equal(["1.0.0", "1.2.0", "2.0.0"], Store.Locked.Select(module => module.Version));
        foreach (string version in new[] { "1.0.0", "1.2.0", "2.0.0" }) Assert.Equal($"notes of {version}", File.ReadAllText(Path.Combine(VersionFolder(version), "notes.txt")));
    }

    [Theory]
    [InlineData("\"acme-disk\"", "1.10.0")]
    [InlineData("""{ "name": "acme-disk", "version": "1.2.0" }""", "1.2.0")]
    [InlineData("""{ "name": "acme-disk", "version": "[1.0, 1.10)" }""", "1.2.0")]
    [InlineData("""{ "name": "acme-disk", "version": "[1.0, 2.0)" }""", "1.10.0")]
    [InlineData("""{ "name": "acme-disk", "version": "2.0.0-beta.1" }""", "2.0.0-beta.1")]
    public async Task A_manifest_takes_the_highest_release_or_what_its_pin_or_range_says(string entry, string expected)
    {
        foreach (string version in new[] { "1.0.0", "1.2.0", "1.10.0", "2.0.0-beta.1" }) Install(PackageFile.Of(version));
        File.WriteAllText(Path.Combine(Root, "app.json"), $$"""{ "name": "app", "modules": [{{entry}}], "rpc": { "socket": "{{Root}}/rpc.sock" } }""");
        var app = AppManifest.Load(Root);
        await using var host = await SpindleHost.StartAsync(new SpindleHostOptions { ModuleFolders = [Store.Folder], Modules = app.Modules, Iobuf = new() { SmallPoolCount = 64, LargePoolCount = 8 } });
        Assert.Equal(expected, Assert.Single(host.Modules.Modules).Manifest.Version.ToString());
    }

    [Fact]
    public void The_same_package_again_is_no_error_and_other_contents_under_the_same_version_are()
    {
        Install(PackageFile.Of());
        Assert.Equal("1.0.0", Store.Install(PackageFile.Of().WriteTo(Feed), "there").Version);
        Assert.Equal("there", Assert.Single(Store.Locked).Source);
        var error = Assert.Throws<ModuleException>(() => Install(PackageFile.Of().Add("module/more.txt", "x")));
        Assert.Equal(ModuleErrorCode.VersionInstalled, error.Code);
        Assert.Contains("new version", error.Message);
        Assert.False(File.Exists(Path.Combine(VersionFolder(), "more.txt")));
    }

    [Fact]
    public void What_a_host_could_not_load_is_not_installed()
    {
        Assert.Equal(ModuleErrorCode.ContractVersion, Refused(PackageFile.Of(manifest: json => json["contract"] = "[7.0, 8.0)")).Code);
        Assert.Equal(ModuleErrorCode.InvalidManifest, Refused(PackageFile.Of(manifest: json => json["kinds"] = "disk")).Code);
        Assert.Equal(ModuleErrorCode.EntryTypeMissing, Refused(PackageFile.Of(manifest: json => json["entry"] = "Fixture.Nowhere")).Code);
        var missing = Refused(PackageFile.Of().Without("module/Fixture.dll"));
        Assert.Equal(ModuleErrorCode.AssemblyMissing, missing.Code);
        // The folder that it was unpacked into says nothing to anyone.
        Assert.DoesNotContain(".installing", missing.Message);
        Assert.DoesNotContain(".installing", Refused(PackageFile.Of(manifest: json => json["hashes"] = new Newtonsoft.Json.Linq.JObject { ["gone.dll"] = new string('0', 64) })).Message);
    }

    [Fact]
    public void What_a_process_that_died_left_behind_is_cleared_and_the_installation_completed()
    {
        // It died while unpacking; another one between its last two steps, the move into place and the lock file.
        File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(Store.Folder, ".installing-0123")).FullName, "module.json"), "half");
        Install(PackageFile.Of("1.0.0"));
        File.Delete(LockFile);
        Assert.All(new ModuleCatalogue([Store.Folder]).List(), entry => Assert.Null(entry.Problem));
        Install(PackageFile.Of("1.0.0"));
        Assert.Equal("1.0.0", Assert.Single(Store.Locked).Version);
        Assert.All(Store.Verify(), result => Assert.Empty(result.Problems));
        Assert.Empty(Directory.GetDirectories(Store.Folder, ".installing-*"));
    }

    [Fact]
    public async Task Installations_at_the_same_time_are_all_recorded()
    {
        var packages = Enumerable.Range(0, 8).Select(i => PackageFile.Of($"1.0.{i}").WriteTo(Feed)).ToList();
        await Task.WhenAll(packages.Select(package => Task.Run(() => new ModuleStore(Store.Folder).Install(package, "here"))));
        Assert.Equal(8, Store.Locked.Count);
        Assert.All(Store.Verify(), result => Assert.Empty(result.Problems));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{ \"version\": 2, \"modules\": [] }")]
    [InlineData("{ \"version\": 1, \"modules\": [ { \"name\": null, \"version\": \"1.0.0\", \"source\": \"\", \"package\": \"\", \"files\": {} } ] }")]
    [InlineData("{ \"version\": 1, \"modules\": [ { \"name\": \"a\", \"version\": \"1.0.0\", \"source\": \"\", \"package\": \"\", \"files\": { \"x\": \"1\", \"x\": \"2\" } } ] }")]
    [InlineData("{ \"version\": 1, \"modules\": [ { \"name\": \"a\", \"version\": \"1.0.0\", \"source\": \"\", \"package\": \"\", \"files\": {}, \"signature\": { \"key\": 5 } } ] }")]
    [InlineData("{ \"version\": 1, \"modules\": 7 }")]
    [InlineData("[]")]
    public void A_lock_file_that_is_not_one_is_told_and_nothing_is_installed(string text)
    {
        Directory.CreateDirectory(Store.Folder);
        File.WriteAllText(LockFile, text);
        foreach (Action action in new Action[] { () => Install(PackageFile.Of()), () => _ = Store.Locked, () => Store.Verify() })
        {
            var error = Assert.Throws<ModuleException>(action);
            Assert.Equal(ModuleErrorCode.LockInvalid, error.Code);
            Assert.Contains(LockFile, error.Message);
        }
        Assert.False(Directory.Exists(VersionFolder()));
    }
}
