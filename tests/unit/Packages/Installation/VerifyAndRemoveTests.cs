using Spindle.Host.Modules;

namespace Spindle.UnitTests.Packages.Installation;

/// <summary>What became of installed files is found; what is not there cannot be removed.</summary>
public sealed class VerifyAndRemoveTests : InstallFixture
{
    private IReadOnlyList<string> Problems => Assert.Single(Store.Verify()).Problems;

    [Fact]
    public void An_altered_file()
    {
        Install(PackageFile.Of());
        Assert.Empty(Problems);
        Alter(Path.Combine(VersionFolder(), "notes.txt"), file => File.AppendAllText(file, "!"));
        Assert.Contains("notes.txt has the SHA-256", Assert.Single(Problems));
    }

    [Fact]
    public void A_missing_file()
    {
        Install(PackageFile.Of());
        Alter(Path.Combine(VersionFolder(), "data", "table.bin"), File.Delete);
        Assert.Contains("data/table.bin is missing", Assert.Single(Problems));
    }

    [Fact]
    public void An_added_file()
    {
        Install(PackageFile.Of());
        Alter(Path.Combine(VersionFolder(), "more.txt"), file => File.WriteAllText(file, "x"));
        Assert.Contains("more.txt was added", Assert.Single(Problems));
    }

    [Fact]
    public void A_version_that_is_gone_and_one_that_nobody_installed()
    {
        Install(PackageFile.Of("1.0.0"));
        Install(PackageFile.Of("2.0.0"));
        MakeWritable(VersionFolder("2.0.0"));
        Directory.Move(VersionFolder("2.0.0"), VersionFolder("3.0.0"));
        var results = Store.Verify().ToDictionary(result => result.Version, result => string.Join("\n", result.Problems));
        Assert.Equal("", results["1.0.0"]);
        Assert.Contains("install it again", results["2.0.0"]);
        Assert.Contains("was not installed by", results["3.0.0"]);
        Assert.Equal(3, Store.Verify("acme-disk").Count);
        Assert.Equal(ModuleErrorCode.NotFound, Assert.Throws<ModuleException>(() => Store.Verify("other")).Code);
    }

    [Fact]
    public void One_version_or_all_are_removed_with_their_records()
    {
        foreach (string version in new[] { "1.0.0", "1.1.0", "2.0.0" }) Install(PackageFile.Of(version));
        Assert.Equal(["1.1.0"], Store.Remove("acme-disk", "1.1.0"));
        Assert.False(Directory.Exists(VersionFolder("1.1.0")));
        Assert.Equal(["1.0.0", "2.0.0"], Store.Locked.Select(module => module.Version));
        Assert.Equal(["1.0.0", "2.0.0"], Store.Remove("acme-disk", null));
        Assert.False(Directory.Exists(Path.Combine(Store.Folder, "acme-disk")));
        AssertNothingIsLeft();
    }

    [Fact]
    public void What_is_not_there_is_told()
    {
        Assert.Equal(ModuleErrorCode.NotFound, Assert.Throws<ModuleException>(() => Store.Remove("acme-disk", null)).Code);
        Assert.False(Directory.Exists(Store.Folder));
        Install(PackageFile.Of());
        Assert.Equal(ModuleErrorCode.NotFound, Assert.Throws<ModuleException>(() => Store.Remove("other", null)).Code);
        var version = Assert.Throws<ModuleException>(() => Store.Remove("acme-disk", "9.9.9"));
        Assert.Equal(ModuleErrorCode.VersionNotFound, version.Code);
        Assert.Contains("there is 1.0.0", version.Message);
        Assert.Single(Store.Locked);
    }

    [Fact]
    public void A_record_without_its_folder_can_be_removed()
    {
        Install(PackageFile.Of());
        MakeWritable(VersionFolder());
        MakeWritable(Path.Combine(VersionFolder(), "data"));
        Directory.Delete(VersionFolder(), recursive: true);
        Assert.Equal(["1.0.0"], Store.Remove("acme-disk", "1.0.0"));
        AssertNothingIsLeft();
    }

    [Theory]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    [InlineData("../feed")]
    [InlineData("acme-disk/1.0.0")]
    [InlineData(".installing-1")]
    public void A_name_is_no_path(string name)
    {
        Install(PackageFile.Of());
        Directory.CreateDirectory(Path.Combine(Store.Folder, ".installing-1", "1.0.0"));
        Assert.Equal(ModuleErrorCode.NotFound, Assert.Throws<ModuleException>(() => Store.Remove(name, null)).Code);
        Assert.True(File.Exists(Path.Combine(VersionFolder(), "module.json")));
        Assert.Equal(ModuleErrorCode.VersionNotFound, Assert.Throws<ModuleException>(() => Store.Remove("acme-disk", "../acme-disk/1.0.0")).Code);
    }
}
