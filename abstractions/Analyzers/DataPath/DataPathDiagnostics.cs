using Microsoft.CodeAnalysis;

namespace Spindle.Analyzers.DataPath;

/// <summary>What the analyzers of the data path and of thread affinity complain about. The ids are documented in docs/analyzers and never reused.</summary>
internal static class DataPathDiagnostics
{
    public static readonly DiagnosticDescriptor Lock = Warning("SPDL011", "No lock on the data path", "'{0}' is [DataPath] and takes a lock; keep the state in the channel, which one thread owns");
    public static readonly DiagnosticDescriptor Closure = Warning("SPDL012", "No closure on the data path", "'{0}' is [DataPath] and makes a delegate that captures; pass a static one and a state object");
    public static readonly DiagnosticDescriptor Allocation = Warning("SPDL013", "No allocation on the data path", "'{0}' is [DataPath] and allocates ({1}); make it once, in the channel or by CreateIoContext");
    public static readonly DiagnosticDescriptor Task = Warning("SPDL014", "No Task on the data path", "'{0}' is [DataPath] and is async or awaits; submit with a callback");
    public static readonly DiagnosticDescriptor Throw = Warning("SPDL015", "No throw on the data path", "'{0}' is [DataPath] and throws; complete the I/O with a status");
    public static readonly DiagnosticDescriptor Blocking = Warning("SPDL016", "No blocking call on the data path", "'{0}' is [DataPath] and calls {1}, which may block the reactor; use the thread's Ring");
    public static readonly DiagnosticDescriptor Affinity = Warning("SPDL017", "A channel is used on its own storage thread", "{0} is used in code handed to {1}, which runs on another thread; send a message to the storage thread instead");
    public static readonly DiagnosticDescriptor AsyncVoid = Warning("SPDL018", "No async void in a plugin", "'{0}' is async void: nobody sees its end or its exception; return Task");

    private static DiagnosticDescriptor Warning(string id, string title, string message) =>
        new(id, title, message, "Spindle.DataPath", DiagnosticSeverity.Warning, isEnabledByDefault: true, helpLinkUri: HelpLink.For(id));
}

/// <summary>Where a diagnostic is explained.</summary>
internal static class HelpLink
{
    public static string For(string id) => $"https://github.com/spindle-io/spindle/blob/main/docs/analyzers/{id}.md";
}
