namespace Spindle.Rpc;

/// <summary>When a method may be called.</summary>
[Flags]
public enum RpcPhase
{
    /// <summary>Before the framework is initialized (<c>--wait-for-rpc</c>).</summary>
    Startup = 1,
    /// <summary>After it is initialized.</summary>
    Runtime = 2,
    /// <summary>Both.</summary>
    Any = Startup | Runtime,
}

/// <summary>Makes a public instance method an RPC method. The class is made once from the module's service provider. The generated
/// binder (in the same assembly) reads the parameters and writes the result; calls run on the app thread, and an awaiting one does not hold up others.</summary>
/// <remarks>Signature: <c>[Task|ValueTask|void] [TResult] Name([TParams parameters], [CancellationToken ct])</c>, TParams a class with
/// <see cref="RpcObjectAttribute"/>; TResult a bool, string, number, list of these, a class with <see cref="RpcObjectAttribute"/>, or an <see cref="IRpcResult"/>. No result is written as <c>true</c>.</remarks>
/// <param name="name">The method's name on the wire.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RpcMethodAttribute(string name) : Attribute
{
    /// <summary>The method's name on the wire.</summary>
    public string Name { get; } = name;

    /// <summary>When it may be called.</summary>
    public RpcPhase Phase { get; init; } = RpcPhase.Runtime;

    /// <summary>One sentence for the documentation.</summary>
    public string Summary { get; init; } = "";

    /// <summary>The code of the error for parameters that do not decode (wrong type, missing, unknown). SPDK's differ from method to
    /// method, and clients compare them.</summary>
    public int ParameterErrorCode { get; init; } = RpcErrorCode.InternalError;

    /// <summary>The words that error starts with; the member and the remedy follow. Empty for SPDK's usual "spdk_json_decode_object
    /// failed", or "METHOD method requires no parameters" where the method has none.</summary>
    public string ParameterErrorText { get; init; } = "";

    /// <summary>Older names under which the method may still be called; the first such call logs a warning.</summary>
    public string[] DeprecatedAliases { get; init; } = [];
}

/// <summary>A class with a parameterless constructor and settable properties that the generated binder reads from and writes to a JSON
/// object. A property's name on the wire is its name in snake_case unless <see cref="RpcMemberAttribute"/> gives another. Property types: bool,
/// integers, double, string, Guid, enums (by snake_case name or <see cref="RpcMemberAttribute"/>), nullable forms, other such classes, and arrays, lists or string-keyed dictionaries of these. A class that is only written needs no constructor or
/// setters; one that is read may have init accessors. Properties that are null are left out of results.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class RpcObjectAttribute : Attribute;

/// <summary>Details of a member on the wire; on a property or an enum's constant.</summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class RpcMemberAttribute : Attribute
{
    /// <summary>A member with its default name.</summary>
    public RpcMemberAttribute() { }

    /// <param name="name">The name on the wire.</param>
    public RpcMemberAttribute(string name) => Name = name;

    /// <summary>The name on the wire; null for the property's name in snake_case.</summary>
    public string? Name { get; }

    /// <summary>True when a call without it is refused.</summary>
    public bool Required { get; init; }

    /// <summary>One sentence for the documentation.</summary>
    public string Summary { get; init; } = "";
}
