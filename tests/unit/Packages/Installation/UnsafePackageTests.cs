using System.IO.Compression;
using Spindle.Host.Modules;
using Spindle.Host.Modules.Installation;

namespace Spindle.UnitTests.Packages.Installation;

/// <summary>What a hostile package could try is refused by a sentence, and leaves nothing.</summary>
public sealed class UnsafePackageTests : InstallFixture
{
    private void Refuses(PackageFile package, string because)
    {
        var error = Refused(package);
        Assert.Equal(ModuleErrorCode.PackageInvalid, error.Code);
        Assert.Contains(because, error.Message);
        Assert.Contains("acme-disk.1.0.0.nupkg", error.Message);
        Assert.DoesNotContain(".installing", error.Message);
        Assert.Empty(Directory.EnumerateFiles(Root, "evil*", SearchOption.AllDirectories));
    }

    [Theory]
    [InlineData("module/../evil.txt")]
    [InlineData("module/../../evil.txt")]
    [InlineData("module/data/../../../evil.txt")]
    [InlineData("module/%2e%2e/evil.txt")]
    [InlineData("module/..%2fevil.txt")]
    [InlineData("module/..\\evil.txt")]
    [InlineData("module//tmp/evil.txt")]
    [InlineData("module/./evil.txt")]
    [InlineData("../evil.txt")]
    [InlineData("/tmp/evil.txt")]
    [InlineData("C:\\evil.txt")]
    [InlineData("module/../evil/")]
    public void A_path_out_of_the_folder(string name) => Refuses(PackageFile.Of().Add(name, name.EndsWith('/') ? "" : "x"), "outside");

    [Theory]
    [InlineData("module/evil\u0001.txt")]
    [InlineData("module/evil\n0000  notes.txt")]
    [InlineData("module/evil%00.txt")]
    [InlineData("module/evil\u001b[2J")]
    public void A_name_that_is_no_name(string name) => Refuses(PackageFile.Of().Add(name, "x"), "control character");

    [Fact]
    public void Links_and_devices()
    {
        Refuses(PackageFile.Of().Add("module/evil.so", "/etc/passwd", 0xA1FF), "symbolic link");
        Refuses(PackageFile.Of().Add("module/evil.pipe", "", 0x11FF), "no regular file");
        Refuses(PackageFile.Of().Add("module/evil.dev", "", 0x21FF), "no regular file");
    }

    [Theory]
    [InlineData("module/notes.txt")]
    [InlineData("module/NOTES.TXT")]
    [InlineData("module/note%73.txt")]
    public void A_name_twice(string name) => Refuses(PackageFile.Of().Add(name, "other"), "twice");

    [Fact]
    public void A_file_where_a_folder_is() => Refuses(PackageFile.Of().Add("module/data", "x"), "data");

    [Fact]
    public void More_than_fits()
    {
        var small = new PackageLimits { MaxEntries = 10, MaxBytes = 64 << 10 };
        var store = new ModuleStore(Store.Folder) { Limits = small };
        // A megabyte of zeroes is a kilobyte in the package.
        string bomb = PackageFile.Of().Add("module/zeroes", new byte[1 << 20]).WriteTo(Feed);
        Assert.InRange(new FileInfo(bomb).Length, 1, 64 << 10);
        var error = Assert.Throws<ModuleException>(() => store.Install(bomb, "here"));
        Assert.Equal(ModuleErrorCode.PackageInvalid, error.Code);
        Assert.Contains("64 KiB", error.Message);
        AssertNothingIsLeft();

        // Its directory lies about the size: 24 bytes into an entry of the central directory (APPNOTE.TXT 6.3, 4.3.12), whose last one it is.
        byte[] bytes = File.ReadAllBytes(bomb);
        int entry = bytes.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        Assert.Equal(1u << 20, BitConverter.ToUInt32(bytes, entry + 24));
        BitConverter.TryWriteBytes(bytes.AsSpan(entry + 24), 100u);
        File.WriteAllBytes(bomb, bytes);
        using (var archive = ZipFile.OpenRead(bomb)) Assert.Equal(100, archive.GetEntry("module/zeroes")!.Length);
        Assert.Equal(ModuleErrorCode.PackageInvalid, Assert.Throws<ModuleException>(() => store.Install(bomb, "here")).Code);
        AssertNothingIsLeft();

        var many = PackageFile.Of();
        for (int i = 0; i < 10; i++) many.Add($"module/{i}", "");
        Assert.Contains("at most 10", Assert.Throws<ModuleException>(() => store.Install(many.WriteTo(Feed), "here")).Message);
        AssertNothingIsLeft();
    }

    [Fact]
    public void What_is_no_package()
    {
        string file = PackageFile.Of().WriteTo(Feed);
        byte[] good = File.ReadAllBytes(file);
        foreach (byte[] bytes in new[] { [], [1, 2, 3], good[..(good.Length / 2)], good[..^30] })
        {
            File.WriteAllBytes(file, bytes);
            Assert.Equal(ModuleErrorCode.PackageInvalid, Assert.Throws<ModuleException>(() => Store.Install(file, "here")).Code);
            AssertNothingIsLeft();
        }
        Assert.Contains("is not there", Assert.Throws<ModuleException>(() => Store.Install(Path.Combine(Feed, "nothing.nupkg"), "here")).Message);
        Assert.Contains("is not there", Assert.Throws<ModuleException>(() => Store.Install(Path.Combine(Root, "nowhere", "nothing.nupkg"), "here")).Message);
        Assert.Contains("is no Spindle plugin", Refused(PackageFile.Of().Without("module/module.json")).Message);
        AssertNothingIsLeft();
    }

    /// <summary>Any bit of a package turned over: it is refused, or every file that is installed has the contents of one that was packed.</summary>
    [Fact]
    public void A_damaged_package_is_refused_or_installed_whole()
    {
        string file = PackageFile.Of().WriteTo(Feed);
        byte[] good = File.ReadAllBytes(file);
        var packed = Store.Install(file, "here").Files.Values.ToHashSet();
        Store.Remove("acme-disk", null);
        var random = new Random(7);
        int refused = 0;
        for (int i = 0; i < 200; i++)
        {
            byte[] bytes = [.. good];
            int at = random.Next(bytes.Length);
            bytes[at] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(file, bytes);
            try
            {
                var installed = Store.Install(file, "here");
                Assert.True(installed.Files.Values.All(packed.Contains), $"byte {at} of {good.Length}, seed 7, round {i}: {string.Join(", ", installed.Files.Where(f => !packed.Contains(f.Value)).Select(f => f.Key))}");
                Store.Remove(installed.Name, installed.Version);
            }
            catch (ModuleException)
            {
                refused++;
            }
            AssertNothingIsLeft();
        }
        Assert.InRange(refused, 50, 200);
    }
}
