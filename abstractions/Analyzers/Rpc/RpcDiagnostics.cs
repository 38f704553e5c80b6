using Microsoft.CodeAnalysis;

namespace Spindle.Analyzers.Rpc;

/// <summary>What the RPC generator complains about. The ids are documented in docs and never reused.</summary>
internal static class RpcDiagnostics
{
    const string Category = "Spindle.Rpc";

    public static readonly DiagnosticDescriptor NotAnInstanceMethod = Error("SPDL001", "An RPC method is an accessible instance method",
        "RPC method '{0}' must be a public or internal instance method without type parameters; {1}");

    public static readonly DiagnosticDescriptor WrongParameters = Error("SPDL002", "An RPC method takes its parameter class and a CancellationToken, or less",
        "RPC method '{0}' may take one class with [RpcObject] and then one CancellationToken, both optional; {1}");

    public static readonly DiagnosticDescriptor UnsupportedType = Error("SPDL003", "A type that the RPC binder cannot read or write",
        "'{0}' has type '{1}', which the RPC binder cannot {2}; use bool, an integer, double, string, Guid, an enum, a class with [RpcObject], "
        + "a nullable, array, list or string-keyed dictionary of these{3}");

    public static readonly DiagnosticDescriptor DuplicateMethod = Error("SPDL004", "An RPC method name is used once",
        "RPC method name '{0}' is used twice in this assembly; give one of them another name");

    public static readonly DiagnosticDescriptor DuplicateMember = Error("SPDL005", "A wire name is used once in a type",
        "'{0}' has two members with the wire name '{1}'; give one of them another name by [RpcMember(\"...\")]");

    public static readonly DiagnosticDescriptor ClassCannotBeMade = Error("SPDL006", "A class with RPC methods can be made from services",
        "Class '{0}' has RPC methods but cannot be made; {1}");

    public static readonly DiagnosticDescriptor ParametersCannotBeMade = Error("SPDL007", "An [RpcObject] that is read has a parameterless constructor",
        "'{0}' is read as RPC parameters but cannot be made; {1}");

    public static readonly DiagnosticDescriptor MemberCannotBeSet = Error("SPDL008", "A member that is read has an accessible set or init accessor",
        "'{0}' is an RPC parameter that cannot be set; give it a public or internal set or init accessor");

    public static readonly DiagnosticDescriptor AsyncVoid = Error("SPDL009", "An RPC method is not async void",
        "RPC method '{0}' is async void, so nobody would see its end or its exception; return Task or ValueTask");

    public static readonly DiagnosticDescriptor BadName = Error("SPDL010", "Wire names are not empty",
        "'{0}' has the wire name '{1}'; use letters, digits, '_', '.', ':' or '-'");

    static DiagnosticDescriptor Error(string id, string title, string message) =>
        new(id, title, message, Category, DiagnosticSeverity.Error, isEnabledByDefault: true, helpLinkUri: DataPath.HelpLink.For(id));
}
