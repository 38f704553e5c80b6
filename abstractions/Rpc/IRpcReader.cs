namespace Spindle.Rpc;

/// <summary>Kinds of JSON values.</summary>
public enum RpcValueKind
{
    /// <summary>Nothing is there: a call without parameters.</summary>
    None,
    /// <summary>null.</summary>
    Null,
    /// <summary>true or false.</summary>
    Boolean,
    /// <summary>A number.</summary>
    Number,
    /// <summary>A string.</summary>
    String,
    /// <summary>An array.</summary>
    Array,
    /// <summary>An object.</summary>
    Object,
}

/// <summary>Reads a JSON value once, forward. Each read that does not fit throws an <see cref="RpcException"/> that names the member by its path.</summary>
public interface IRpcReader
{
    /// <summary>The kind of the value to be read next.</summary>
    RpcValueKind Kind { get; }

    /// <summary>The path of the value to be read next, "params.namespace.nsid" for example.</summary>
    string Path { get; }

    /// <summary>Enters an object; then <see cref="NextMember"/> until it says false.</summary>
    void BeginObject();

    /// <summary>Moves to the next member's value.</summary>
    /// <returns>False after the last one; the object is left then.</returns>
    bool NextMember(out string name);

    /// <summary>Enters an array; then <see cref="NextElement"/> until it says false.</summary>
    void BeginArray();

    /// <summary>Moves to the next element.</summary>
    /// <returns>False after the last one; the array is left then.</returns>
    bool NextElement();

    /// <summary>Reads true or false.</summary>
    bool ReadBoolean();

    /// <summary>Reads a string.</summary>
    string ReadString();

    /// <summary>Reads an integer within bounds (inclusive). As SPDK does, a number with an exponent or fraction of zero counts as the integer it equals.</summary>
    ulong ReadUnsigned(ulong max = ulong.MaxValue);

    /// <summary>Reads an integer within bounds (inclusive).</summary>
    long ReadSigned(long min = long.MinValue, long max = long.MaxValue);

    /// <summary>Reads any number.</summary>
    double ReadDouble();

    /// <summary>Reads null.</summary>
    void ReadNull();

    /// <summary>Passes over one value of any kind.</summary>
    void Skip();

    /// <summary>The error for a member that the method does not know.</summary>
    RpcException UnknownMember(string name);

    /// <summary>The error for a required member that is missing.</summary>
    RpcException MissingMember(string name);

    /// <summary>The error for a value that the method cannot take; call it before or after reading the value.</summary>
    RpcException InvalidValue(string path, string reason);
}

/// <summary>Writes a JSON value. Calls that do not make JSON throw <see cref="InvalidOperationException"/>.</summary>
public interface IRpcWriter
{
    /// <summary>Starts an object.</summary>
    void BeginObject();
    /// <summary>Ends it.</summary>
    void EndObject();
    /// <summary>Starts an array.</summary>
    void BeginArray();
    /// <summary>Ends it.</summary>
    void EndArray();
    /// <summary>The name of the member whose value is written next.</summary>
    void Name(string name);
    /// <summary>Writes a string, or null.</summary>
    void String(string? value);
    /// <summary>Writes true or false.</summary>
    void Boolean(bool value);
    /// <summary>Writes an integer.</summary>
    void Number(long value);
    /// <summary>Writes an integer.</summary>
    void Number(ulong value);
    /// <summary>Writes a number.</summary>
    void Number(double value);
    /// <summary>Writes null.</summary>
    void Null();
}

/// <summary>A result that writes itself.</summary>
public interface IRpcResult
{
    /// <summary>Writes one JSON value.</summary>
    void Write(IRpcWriter writer);
}

/// <summary>Writes saved configuration: RPC calls, in an order in which they load.</summary>
public interface IConfigWriter
{
    /// <summary>Writes one call.</summary>
    /// <param name="method">The RPC method.</param>
    /// <param name="writeParameters">Writes the members of the parameter object; null for a call without parameters.</param>
    void Call(string method, Action<IRpcWriter>? writeParameters = null);
}
