using System.IO.Compression;

namespace Spindle.Host.Modules.Installation;

/// <summary>A plugin as one file: a NuGet package whose <c>module</c> folder is what the catalogue reads.</summary>
internal static class PluginPackage
{
    private const string Prefix = "module/";
    private const int MostEntries = 10_000;
    private const long MostBytes = 2L << 30;

    /// <summary>Unpacks the module into a new folder. What a hostile package could do with names and sizes is refused.</summary>
    /// <exception cref="ModuleException">PackageInvalid.</exception>
    public static void Extract(string package, string folder)
    {
        string name = Path.GetFileName(package);
        ModuleException Invalid(string message) => new(ModuleErrorCode.PackageInvalid, name, message);
        try
        {
            using var archive = ZipFile.OpenRead(package);
            if (archive.Entries.Count > MostEntries) throw Invalid($"has {archive.Entries.Count} files; at most {MostEntries} are taken.");
            var entries = archive.Entries.Where(entry => entry.FullName.StartsWith(Prefix, StringComparison.Ordinal) && !entry.FullName.EndsWith('/')).ToList();
            if (!entries.Exists(entry => entry.FullName == Prefix + "module.json"))
                throw Invalid("is no Spindle plugin: there is no module/module.json in it. Build it by 'dotnet pack' of a project that references Spindle.Abstractions.");
            long left = MostBytes;
            Directory.CreateDirectory(folder);
            foreach (var entry in entries)
            {
                string path = Uri.UnescapeDataString(entry.FullName[Prefix.Length..]);
                if (path.Contains('\\') || path.Contains('\0') || Path.IsPathRooted(path) || path.Split('/').Any(part => part is "" or "." or ".."))
                    throw Invalid($"has a file named '{entry.FullName}', which would lie outside the module's folder; it is not installed.");
                string target = Path.Combine(folder, path);
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                using var from = entry.Open();
                using var to = new FileStream(target, FileMode.CreateNew, FileAccess.Write);
                // Counted while unpacking: the size in the archive's directory is only what it claims.
                byte[] buffer = new byte[81920];
                for (int read; (read = from.Read(buffer)) > 0;)
                {
                    if ((left -= read) < 0) throw Invalid($"unpacks to more than {MostBytes >> 30} GiB; it is not installed.");
                    to.Write(buffer, 0, read);
                }
            }
        }
        catch (Exception e) when (e is InvalidDataException or IOException and not FileNotFoundException or UnauthorizedAccessException)
        {
            throw Invalid($"cannot be unpacked: {e.Message}");
        }
        catch (FileNotFoundException)
        {
            throw Invalid("is not there.");
        }
    }
}
