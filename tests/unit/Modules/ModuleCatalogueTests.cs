using Spindle.Host.Modules;

namespace Spindle.UnitTests.Modules;

public sealed class ModuleCatalogueTests : IDisposable
{
    private readonly PluginFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static VersionRange Range(string text) => VersionRange.TryParse(text, out var range) ? range : throw new ArgumentException(text);

    [Fact]
    public void Takes_the_highest_version_that_fits()
    {
        foreach (var version in new[] { "1.0.0", "1.9.0", "1.10.0", "2.0.0-rc.1" }) _folder.WriteManifest("bdev-x", version);
        Assert.Equal("1.10.0", _folder.Catalogue.Find("bdev-x").Version.ToString());
        Assert.Equal("1.9.0", _folder.Catalogue.Find("bdev-x", Range("[1.0, 1.10)")).Version.ToString());
        Assert.Equal("2.0.0-rc.1", _folder.Catalogue.Find("bdev-x", Range("2.0.0-rc.1")).Version.ToString());
    }

    [Fact]
    public void Says_what_there_is_when_a_module_or_version_is_missing()
    {
        _folder.WriteManifest("bdev-x", "1.0.0");
        var missing = Assert.Throws<ModuleException>(() => _folder.Catalogue.Find("bdev-y"));
        Assert.Equal(ModuleErrorCode.NotFound, missing.Code);
        Assert.Contains("bdev-x", missing.Message);
        var version = Assert.Throws<ModuleException>(() => _folder.Catalogue.Find("bdev-x", Range("[2.0, 3.0)")));
        Assert.Equal(ModuleErrorCode.VersionNotFound, version.Code);
        Assert.Contains("1.0.0", version.Message);
    }

    [Theory]
    [InlineData("..")]
    [InlineData("../bdev-x")]
    [InlineData("")]
    public void A_name_is_no_path(string name)
    {
        _folder.WriteManifest("bdev-x", "1.0.0");
        Assert.Equal(ModuleErrorCode.NotFound, Assert.Throws<ModuleException>(() => _folder.Catalogue.Find(name)).Code);
    }

    [Fact]
    public void A_manifest_in_the_wrong_folder_is_refused()
    {
        var file = _folder.WriteManifest("bdev-x", "1.0.0");
        Directory.CreateDirectory(Path.Combine(_folder.Root, "bdev-y", "1.0.0"));
        File.Move(file, Path.Combine(_folder.Root, "bdev-y", "1.0.0", "module.json"));
        Assert.Equal(ModuleErrorCode.FolderMismatch, Assert.Throws<ModuleException>(() => _folder.Catalogue.Find("bdev-y")).Code);
    }

    [Fact]
    public void Lists_good_and_broken_ones_and_goes_on_with_the_good()
    {
        _folder.WriteManifest("bdev-x", "1.0.0");
        _folder.WriteManifest("bdev-x", "2.0.0", json => json["entry"] = 5);
        var list = _folder.Catalogue.List();
        Assert.Equal(2, list.Count);
        Assert.Equal(ModuleErrorCode.InvalidManifest, list.Single(entry => entry.Version == "2.0.0").Problem!.Code);
        Assert.Equal("1.0.0", _folder.Catalogue.Find("bdev-x").Version.ToString());
        Assert.Equal(ModuleErrorCode.InvalidManifest, Assert.Throws<ModuleException>(() => _folder.Catalogue.Find("bdev-x", Range("2.0.0"))).Code);
    }

    [Fact]
    public void The_earlier_folder_wins()
    {
        using var other = new PluginFolder();
        _folder.WriteManifest("bdev-x", "1.0.0");
        other.WriteManifest("bdev-x", "1.0.0");
        var catalogue = new ModuleCatalogue([_folder.Root, other.Root, Path.Combine(_folder.Root, "missing")]);
        Assert.StartsWith(_folder.Root, catalogue.Find("bdev-x").Folder);
        Assert.Single(catalogue.List());
    }
}
