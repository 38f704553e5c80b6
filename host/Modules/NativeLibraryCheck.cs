using System.Buffers.Binary;
using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;

namespace Spindle.Host.Modules;

/// <summary>Checks from their headers that a module's native libraries are for this processor and operating system, which the loader would tell only at the first call.</summary>
internal static class NativeLibraryCheck
{
    // ELF header (System V ABI, gABI 4.1, "ELF Header"): e_ident[EI_CLASS] at 4, e_ident[EI_DATA] at 5, e_machine at 18.
    private const int HeaderSize = 20;

    /// <summary>Checks all libraries that could be loaded here: those of other runtimes in runtimes/RID/native are none of this process's business.</summary>
    /// <exception cref="ModuleException">NativeArchitecture, naming the file.</exception>
    public static void Run(ModuleManifest manifest)
    {
        var others = new List<string>();
        bool own = false;
        foreach (var file in Directory.EnumerateFiles(manifest.Folder, "*", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(manifest.Folder, file).Replace('\\', '/');
            bool isLibrary = path.EndsWith(".so", StringComparison.Ordinal) || path.Contains(".so.", StringComparison.Ordinal) || path.EndsWith(".dylib", StringComparison.Ordinal)
                || (path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) && IsNativePe(file));
            if (!isLibrary) continue;
            var parts = path.Split('/');
            if (parts is ["runtimes", var rid, "native", ..] && !FitsHere(rid))
            {
                others.Add(rid);
                continue;
            }
            own = true;
            if (OperatingSystem.IsLinux() && Problem(file, path) is { } problem)
                throw new ModuleException(ModuleErrorCode.NativeArchitecture, manifest.Identity,
                    $"{path} {problem}; this process is {RuntimeInformation.RuntimeIdentifier}: use a build of the module for it.");
        }
        if (!own && others.Count > 0)
            throw new ModuleException(ModuleErrorCode.NativeArchitecture, manifest.Identity,
                $"has native libraries for {string.Join(", ", others.Distinct().Order())} only; this process is {RuntimeInformation.RuntimeIdentifier}.");
    }

    private static bool FitsHere(string rid)
    {
        var architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        var system = OperatingSystem.IsLinux() ? "linux" : OperatingSystem.IsMacOS() ? "osx" : "win";
        return rid == system || rid == "unix" || rid == "any" || rid == RuntimeInformation.RuntimeIdentifier
            || (rid.StartsWith(system, StringComparison.Ordinal) && rid.EndsWith("-" + architecture, StringComparison.Ordinal));
    }

    private static string? Problem(string file, string path)
    {
        if (path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase)) return "is a library for Windows";
        if (path.EndsWith(".dylib", StringComparison.Ordinal)) return "is a library for macOS";
        Span<byte> header = stackalloc byte[HeaderSize];
        using (var stream = File.OpenRead(file))
            if (stream.ReadAtLeast(header, HeaderSize, throwOnEndOfStream: false) < HeaderSize || !header.StartsWith("\x7FELF"u8)) return "is not an ELF library";
        if (header[4] != 2) return "is a 32-bit library";
        if (header[5] != 1) return "is a big-endian library";
        int machine = BinaryPrimitives.ReadUInt16LittleEndian(header[18..]);
        var name = machine switch { 0x3e => "x64", 0xb7 => "arm64", 0xf3 => "riscv64", 0x102 => "loongarch64", 0x15 => "ppc64le", _ => $"machine {machine}" };
        return name.Equals(RuntimeInformation.ProcessArchitecture.ToString(), StringComparison.OrdinalIgnoreCase) ? null : $"is a library for {name}";
    }

    private static bool IsNativePe(string file)
    {
        try
        {
            using var image = new PEReader(File.OpenRead(file));
            return !image.HasMetadata;
        }
        catch (BadImageFormatException)
        {
            return false; // Not a library at all; whoever loads it finds out.
        }
    }
}
