using Spindle.Host.Modules;
using Spindle.Host.Modules.Installation;
using Spindle.Host.Modules.Trust;

namespace Spindle.UnitTests.Packages.Installation;

/// <summary>A folder of packages and one to install into, gone with the test.</summary>
public abstract class InstallFixture : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("spindle-install-").FullName;

    protected InstallFixture() => Store = new ModuleStore(Path.Combine(_root, "modules"));

    protected ModuleStore Store { get; }

    /// <summary>Where packages are written to: a folder feed.</summary>
    protected string Feed => Path.Combine(_root, "feed");

    protected string Root => _root;

    protected string VersionFolder(string version = "1.0.0", string module = "acme-disk") => Path.Combine(Store.Folder, module, version);

    protected string LockFile => Path.Combine(Store.Folder, "modules.lock.json");

    protected string Key(string name)
    {
        string path = Path.Combine(_root, name);
        if (!File.Exists(path + ".key")) ModuleSignature.Generate(path);
        return path;
    }

    protected LockedModule Install(PackageFile package) => Store.Install(package.WriteTo(Feed), "here");

    protected ModuleException Refused(PackageFile package)
    {
        var error = Assert.Throws<ModuleException>(() => Install(package));
        AssertNothingIsLeft();
        return error;
    }

    /// <summary>No version, nothing half unpacked, nothing in the lock file.</summary>
    protected void AssertNothingIsLeft()
    {
        Assert.Empty(Store.Locked);
        Assert.Empty(Directory.Exists(Store.Folder) ? Directory.EnumerateFileSystemEntries(Store.Folder).Where(entry => Path.GetFileName(entry) is not (".lock" or "modules.lock.json")) : []);
    }

    /// <summary>Changes an installed file, as one who may does.</summary>
    protected static void Alter(string file, Action<string> change)
    {
        MakeWritable(Path.GetDirectoryName(file)!);
        if (File.Exists(file)) File.SetAttributes(file, FileAttributes.Normal);
        change(file);
    }

    protected static void MakeWritable(string folder)
    {
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public void Dispose()
    {
        foreach (string folder in Directory.EnumerateDirectories(_root, "*", SearchOption.AllDirectories).ToList()) MakeWritable(folder);
        foreach (string file in Directory.EnumerateFiles(_root, "*", SearchOption.AllDirectories)) File.SetAttributes(file, FileAttributes.Normal);
        Directory.Delete(_root, recursive: true);
        GC.SuppressFinalize(this);
    }
}
