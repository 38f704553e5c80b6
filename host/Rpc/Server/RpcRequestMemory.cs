using System.Buffers;

namespace Spindle.Host.Rpc.Server;

/// <summary>A copy of a request that lives until its reply is made.</summary>
internal readonly struct RpcRequestMemory
{
    readonly byte[] _bytes;

    public RpcRequestMemory(ReadOnlySpan<byte> json)
    {
        _bytes = ArrayPool<byte>.Shared.Rent(json.Length);
        json.CopyTo(_bytes);
        Length = json.Length;
    }

    /// <summary>Bytes of the request.</summary>
    public int Length { get; }

    /// <summary>The request.</summary>
    public ReadOnlyMemory<byte> Json => _bytes.AsMemory(0, Length);

    /// <summary>Gives the memory back. Nobody may read it any more.</summary>
    public void Release() => ArrayPool<byte>.Shared.Return(_bytes);
}
