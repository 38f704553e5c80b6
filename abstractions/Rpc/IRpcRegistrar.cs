namespace Spindle.Rpc;

/// <summary>Where a module's methods are registered; withdrawn when the module is unloaded. On the app thread.</summary>
public interface IRpcRegistrar
{
    /// <summary>Registers a method.</summary>
    /// <exception cref="SpindleException">EEXIST: the name is taken, and by which module.</exception>
    void Register(RpcMethodHandler handler);
}

/// <summary>One method: its declaration and its code. The generated binder derives from it.</summary>
public abstract class RpcMethodHandler
{
    /// <summary>The name on the wire.</summary>
    public abstract string Name { get; }

    /// <summary>When it may be called.</summary>
    public abstract RpcPhase Phase { get; }

    /// <summary>One sentence for the documentation.</summary>
    public virtual string Summary => "";

    /// <summary>The code of the error for parameters that do not decode.</summary>
    public virtual int ParameterErrorCode => RpcErrorCode.InternalError;

    /// <summary>The words that error starts with, as SPDK has them for this method.</summary>
    public virtual string ParameterErrorText => "spdk_json_decode_object failed";

    /// <summary>Older names under which the method may still be called.</summary>
    public virtual IReadOnlyList<string> DeprecatedAliases => [];

    /// <summary>The parameters, for documentation and schema.</summary>
    public virtual IReadOnlyList<RpcParameterInfo> Parameters => [];

    /// <summary>The result's type, for documentation: "boolean", "string", "object", "array of object" …</summary>
    public virtual string ResultType => "object";

    /// <summary>The members of the result, or of the objects in it, for documentation; empty where it is no such object or its writer is written by hand.</summary>
    public virtual IReadOnlyList<RpcParameterInfo> ResultMembers => [];

    /// <summary>What a call fails with, a sentence each, for documentation; besides parameters that do not decode.</summary>
    public virtual IReadOnlyList<string> Errors => [];

    /// <summary>Runs a call, on the app thread. Reads all parameters before its first await; writes one JSON value.</summary>
    public abstract ValueTask InvokeAsync(IRpcReader parameters, IRpcWriter result, CancellationToken cancellationToken);
}

/// <summary>One parameter, or one member of an object, for documentation and schema.</summary>
/// <param name="Name">The name on the wire.</param>
/// <param name="Type">"boolean", "string", "number", "object", "array of string" …</param>
/// <param name="Required">True when a call without it is refused.</param>
/// <param name="Summary">One sentence.</param>
public sealed record RpcParameterInfo(string Name, string Type, bool Required, string Summary)
{
    /// <summary>The value of a call that leaves it out, as JSON; null where there is none, or the method finds one.</summary>
    public string? Default { get; init; }

    /// <summary>The strings that it may be; empty where it may be any.</summary>
    public IReadOnlyList<string> Values { get; init; } = [];

    /// <summary>The smallest number that is taken; null for no limit below that of the type with 64 bits.</summary>
    public long? Minimum { get; init; }

    /// <summary>The largest number that is taken; null for no limit below that of the type with 64 bits.</summary>
    public long? Maximum { get; init; }

    /// <summary>The members of the object, or of each object in the array or dictionary.</summary>
    public IReadOnlyList<RpcParameterInfo> Members { get; init; } = [];
}

/// <summary>Emitted by the generator: names the class in this assembly that registers its RPC methods.</summary>
/// <param name="binderType">A class that derives from <see cref="RpcBinder"/> and has a parameterless constructor.</param>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class RpcBinderAttribute(Type binderType) : Attribute
{
    /// <summary>The binder.</summary>
    public Type BinderType { get; } = binderType;
}

/// <summary>The base of the generated binder.</summary>
public abstract class RpcBinder
{
    /// <summary>Makes the classes that have RPC methods from <paramref name="services"/> and registers their methods.</summary>
    public abstract void Register(IRpcRegistrar registrar, IServiceProvider services);
}
