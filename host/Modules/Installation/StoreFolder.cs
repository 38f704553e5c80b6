using System.Diagnostics;
using System.Runtime.Versioning;
using System.Security.Cryptography;

namespace Spindle.Host.Modules.Installation;

/// <summary>The files of a <see cref="ModuleStore"/>: one process changes them at a time, and what one that died left half done is cleared by the next.</summary>
internal static class StoreFolder
{
    /// <summary>Folders whose name starts so are on their way in or out; the catalogue sees no version in them.</summary>
    private const string Staging = ".installing-", Trash = ".removing-";

    private const string GuardFile = ".lock";

    // A link that somebody put into a module's folder leads to files that are none of its own.
    private static readonly EnumerationOptions s_own = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = false };
    private static readonly EnumerationOptions s_everything = new() { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false };

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>Waits until no other process changes the folder, and clears what was left half done. Disposing lets the next one in.</summary>
    /// <exception cref="IOException">Another process has been at it for too long.</exception>
    public static IDisposable Enter(string folder)
    {
        Directory.CreateDirectory(folder);
        var guard = Lock(Path.Combine(folder, GuardFile));
        try
        {
            foreach (string left in Directory.EnumerateDirectories(folder).Where(path => Path.GetFileName(path) is { } name && (name.StartsWith(Staging, StringComparison.Ordinal) || name.StartsWith(Trash, StringComparison.Ordinal))))
                Delete(left);
            return guard;
        }
        catch
        {
            guard.Dispose();
            throw;
        }
    }

    private static FileStream Lock(string file)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException e) when (e is not (DirectoryNotFoundException or FileNotFoundException or PathTooLongException))
            {
                if (waited.Elapsed > s_patience) throw new IOException($"Another process has been installing or removing modules there for {s_patience.TotalSeconds:0} s ({e.Message}); try again when it has ended.");
                Thread.Sleep(20);
            }
        }
    }

    /// <summary>A path for a new folder to unpack into.</summary>
    public static string NewStaging(string folder) => Path.Combine(folder, Staging + Guid.NewGuid().ToString("N"));

    /// <summary>Moves a version out of the catalogue's sight in one step, and deletes it.</summary>
    public static void Discard(string folder, string version)
    {
        if (!OperatingSystem.IsWindows()) SetMode(version, writable: true);
        string trash = Path.Combine(folder, Trash + Guid.NewGuid().ToString("N"));
        Directory.Move(version, trash);
        Delete(trash);
    }

    /// <summary>SHA-256 of every file by its path with '/', in ordinal order. A link has no hash, and so never the one that was recorded.</summary>
    public static SortedDictionary<string, string> Hash(string folder)
    {
        var hashes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in new DirectoryInfo(folder).EnumerateFileSystemInfos("*", s_everything))
        {
            string path = Path.GetRelativePath(folder, entry.FullName).Replace('\\', '/');
            if (entry.LinkTarget is { } target) hashes[path] = $"(a link to {target})";
            else if (entry is FileInfo file)
            {
                using var stream = file.OpenRead();
                hashes[path] = Convert.ToHexStringLower(SHA256.HashData(stream));
            }
        }
        return hashes;
    }

    public static void SetReadOnly(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder, "*", s_own)) File.SetAttributes(file, File.GetAttributes(file) | FileAttributes.ReadOnly);
        if (OperatingSystem.IsWindows()) return;
        foreach (string inner in Directory.EnumerateDirectories(folder, "*", s_own).Append(folder)) SetMode(inner, writable: false);
    }

    /// <summary>Deletes a folder whose contents may be read-only.</summary>
    public static void Delete(string folder)
    {
        if (!OperatingSystem.IsWindows())
        {
            SetMode(folder, writable: true);
            foreach (string inner in Directory.EnumerateDirectories(folder, "*", s_own)) SetMode(inner, writable: true);
        }
        foreach (string file in Directory.EnumerateFiles(folder, "*", s_own)) File.SetAttributes(file, FileAttributes.Normal);
        Directory.Delete(folder, recursive: true);
    }

    [UnsupportedOSPlatform("windows")]
    private static void SetMode(string folder, bool writable)
    {
        const UnixFileMode read = UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        File.SetUnixFileMode(folder, writable ? read | UnixFileMode.UserWrite : read);
    }
}
