using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Spindle.Host.Rpc.Server;

/// <summary>The text of replies (JSON-RPC 2.0, section 5): members in SPDK's order, a line feed at the end.</summary>
internal static class RpcReplies
{
    /// <summary>Writes what comes before a result.</summary>
    public static void BeginResult(RpcReplyBuffer reply, ReadOnlySpan<byte> id)
    {
        BeginReply(reply, id);
        reply.Write("\"result\":"u8);
    }

    /// <summary>Writes a whole error reply, without the line feed.</summary>
    public static void Error(RpcReplyBuffer reply, ReadOnlySpan<byte> id, RpcError error)
    {
        BeginReply(reply, id);
        reply.Write("\"error\":{\"code\":"u8);
        reply.Write(Encoding.ASCII.GetBytes(error.Code.ToString(CultureInfo.InvariantCulture)));
        reply.Write(",\"message\":\""u8);
        reply.Write(JsonEncodedText.Encode(error.Message, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes);
        reply.Write("\"}}"u8);
    }

    static void BeginReply(RpcReplyBuffer reply, ReadOnlySpan<byte> id)
    {
        reply.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        reply.Write(id.IsEmpty ? "null"u8 : id);
        reply.Write(","u8);
    }
}
