namespace Spindle.Rpc;

/// <summary>Error codes of JSON-RPC 2.0, 5.1, and of SPDK.</summary>
public static class RpcErrorCode
{
    /// <summary>The text is not JSON.</summary>
    public const int ParseError = -32700;
    /// <summary>The JSON is not a request.</summary>
    public const int InvalidRequest = -32600;
    /// <summary>There is no such method.</summary>
    public const int MethodNotFound = -32601;
    /// <summary>The parameters are not valid.</summary>
    public const int InvalidParams = -32602;
    /// <summary>Something inside failed; in SPDK also a parameter that does not decode.</summary>
    public const int InternalError = -32603;
    /// <summary>The method may not be called in this phase (SPDK's SPDK_JSONRPC_ERROR_INVALID_STATE).</summary>
    public const int InvalidState = -1;
}

/// <summary>An error that an RPC handler answers with. A <see cref="SpindleException"/> does as well, with its negated error number as the code.</summary>
public sealed class RpcException : Exception
{
    /// <param name="code">One of <see cref="RpcErrorCode"/>, or a negated error number.</param>
    /// <param name="message">Starts with SPDK's words where clients compare them; then names the member and the remedy.</param>
    public RpcException(int code, string message) : base(message) => Code = code;

    /// <summary>The code on the wire.</summary>
    public int Code { get; }
}
