using System.Runtime.InteropServices;

namespace Spindle.Host.Modules;

/// <summary>Which assemblies a plugin has from the host and from .NET, and which it must bring itself.</summary>
internal static class SharedAssemblies
{
    private const string Contract = "Spindle.Abstractions";

    private static readonly string[] s_shared =
    [
        Contract, "Microsoft.Extensions.DependencyInjection.Abstractions", "Microsoft.Extensions.Logging.Abstractions",
    ];

    private static readonly string s_framework = RuntimeEnvironment.GetRuntimeDirectory();

    /// <summary>The shared ones' simple names: one copy in the process, the host's, since their types pass between host and plugins.</summary>
    public static IReadOnlyList<string> Names => s_shared;

    /// <summary>True for an assembly that host and plugins share.</summary>
    public static bool IsShared(string name) => s_shared.Contains(name, StringComparer.OrdinalIgnoreCase);

    /// <summary>True for an assembly of .NET itself.</summary>
    public static bool IsFramework(string name) => File.Exists(Path.Combine(s_framework, name + ".dll"));

    /// <summary>True for an assembly that is the host's own business.</summary>
    public static bool IsHostOnly(string name) => name is "Spindle.Host" or "spindle";
}
