using System.IO.Compression;

namespace Spindle.Host.Modules.Installation;

/// <summary>What a package may unpack to.</summary>
public sealed record PackageLimits
{
    /// <summary>Entries in the archive, those that are not the module's too.</summary>
    public int MaxEntries { get; init; } = 10_000;

    /// <summary>Bytes of all the module's files together.</summary>
    public long MaxBytes { get; init; } = 2L << 30;
}

/// <summary>A plugin as one file: a NuGet package whose <c>module</c> folder is what the catalogue reads.</summary>
internal sealed class PluginPackage
{
    private const string Prefix = "module/";

    private readonly string _name;
    private readonly PackageLimits _limits;

    private PluginPackage(string name, PackageLimits limits) => (_name, _limits) = (name, limits);

    /// <summary>Unpacks the module into a new folder. What a hostile package could do with names, links and sizes is refused.</summary>
    /// <param name="package">The archive; may be read from anywhere.</param>
    /// <param name="name">Its name for messages.</param>
    /// <param name="folder">Made here.</param>
    /// <param name="limits">What it may unpack to.</param>
    /// <exception cref="ModuleException">PackageInvalid.</exception>
    public static void Extract(Stream package, string name, string folder, PackageLimits limits)
    {
        var reader = new PluginPackage(name, limits);
        try
        {
            using var archive = new ZipArchive(package, ZipArchiveMode.Read, leaveOpen: true);
            reader.Extract(archive, folder);
        }
        // What the archive's own reader throws on damaged and on unknown content.
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException or OverflowException)
        {
            throw reader.Invalid($"cannot be unpacked: {e.Message.Replace(folder + Path.DirectorySeparatorChar, "", StringComparison.Ordinal)}");
        }
    }

    private ModuleException Invalid(string message) => new(ModuleErrorCode.PackageInvalid, _name, message);

    private void Extract(ZipArchive archive, string folder)
    {
        var files = Check(archive);
        Directory.CreateDirectory(folder);
        long left = _limits.MaxBytes;
        byte[] buffer = new byte[81920];
        foreach (var (path, entry) in files)
        {
            string target = Path.Combine(folder, path);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            using var from = entry.Open();
            using var to = new FileStream(target, FileMode.CreateNew, FileAccess.Write);
            // Counted while unpacking too: the size in the archive's directory is only what it claims.
            uint crc = 0;
            long size = 0;
            for (int read; (read = from.Read(buffer)) > 0; size += read)
            {
                if ((left -= read) < 0) throw TooLarge();
                crc = Crc32.Append(crc, buffer.AsSpan(0, read));
                to.Write(buffer, 0, read);
            }
            // The archive's reader does not look at it.
            if (crc != entry.Crc32 || size != entry.Length) throw Invalid($"is damaged: '{Printable(entry.FullName)}' does not unpack to what was packed; fetch it again.");
        }
    }

    /// <summary>Looks at every entry before the first one is written, those outside the module's folder too: a package with such a name is nobody's mistake.</summary>
    private SortedDictionary<string, ZipArchiveEntry> Check(ZipArchive archive)
    {
        if (archive.Entries.Count > _limits.MaxEntries) throw Invalid($"has {archive.Entries.Count} files; at most {_limits.MaxEntries} are taken.");
        // By name without case: what is two files here would be one elsewhere.
        var files = new SortedDictionary<string, ZipArchiveEntry>(StringComparer.OrdinalIgnoreCase);
        long claimed = 0;
        foreach (var entry in archive.Entries)
        {
            string path = Uri.UnescapeDataString(entry.FullName);
            bool isFolder = path.EndsWith('/');
            CheckName(entry.FullName, isFolder ? path[..^1] : path);
            CheckKind(entry, isFolder);
            if (isFolder || !path.StartsWith(Prefix, StringComparison.Ordinal)) continue;
            if (!files.TryAdd(path[Prefix.Length..], entry)) throw Invalid($"has '{Printable(entry.FullName)}' twice; it is not installed.");
            if (entry.Length < 0 || (claimed += Math.Min(entry.Length, _limits.MaxBytes + 1)) > _limits.MaxBytes) throw TooLarge();
        }
        if (!files.TryGetValue("module.json", out var manifest) || manifest.FullName != Prefix + "module.json")
            throw Invalid("is no Spindle plugin: there is no module/module.json in it. Build it by 'dotnet pack' of a project that references Spindle.Abstractions.");
        return files;
    }

    private void CheckName(string name, string path)
    {
        if (path.Any(char.IsControl)) throw Invalid($"has a control character in the name '{Printable(name)}'; it is not installed.");
        if (path.Contains('\\') || path.Contains(':') || Path.IsPathRooted(path) || path.Split('/').Any(part => part is "" or "." or ".."))
            throw Invalid($"has an entry '{Printable(name)}', which would lie outside the module's folder; it is not installed.");
    }

    /// <summary>The upper half of the attributes is a Unix mode where the archive was made on Unix, and 0 elsewhere.</summary>
    private void CheckKind(ZipArchiveEntry entry, bool isFolder)
    {
        const int kindMask = 0xF000, none = 0, regular = 0x8000, folder = 0x4000, link = 0xA000;
        int kind = (entry.ExternalAttributes >> 16) & kindMask;
        if (kind == link) throw Invalid($"has the symbolic link '{Printable(entry.FullName)}'; a module's files lie in its folder. It is not installed.");
        if (kind is not (none or regular) && !(isFolder && kind == folder)) throw Invalid($"has '{Printable(entry.FullName)}', which is no regular file; it is not installed.");
    }

    private ModuleException TooLarge() => Invalid($"unpacks to more than {Size(_limits.MaxBytes)}; it is not installed.");

    private static string Size(long bytes) => bytes >= 1L << 30 ? $"{bytes >> 30} GiB" : $"{bytes >> 10} KiB";

    /// <summary>The name goes to a terminal.</summary>
    private static string Printable(string name) => string.Concat((name.Length > 200 ? name[..200] + "…" : name).Select(c => char.IsControl(c) ? $"\\u{(int)c:x4}" : c.ToString()));
}
