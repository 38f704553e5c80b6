using System.Buffers;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Json;

/// <summary>JSON text as a value to write: kept until there is a writer for it.</summary>
public sealed class RpcJsonText(ReadOnlyMemory<byte> json) : IRpcResult
{
    /// <summary>The text, one valid JSON value.</summary>
    public ReadOnlyMemory<byte> Json => json;

    /// <summary>Keeps what a function writes. It is complete or, when the function throws, not there at all.</summary>
    public static RpcJsonText Capture(Action<IRpcWriter> write)
    {
        var output = new ArrayBufferWriter<byte>();
        using var writer = new RpcJsonWriter(output);
        write(writer);
        writer.Complete();
        return new RpcJsonText(output.WrittenMemory);
    }

    /// <inheritdoc/>
    public void Write(IRpcWriter writer)
    {
        if (writer is RpcJsonWriter own)
        {
            own.Raw(json.Span);
        }
        else
        {
            Copy(new RpcJsonReader(json), writer);
        }
    }

    static void Copy(RpcJsonReader reader, IRpcWriter writer)
    {
        switch (reader.Kind)
        {
            case RpcValueKind.Object:
                writer.BeginObject();
                reader.BeginObject();
                while (reader.NextMember(out var name))
                {
                    writer.Name(name);
                    Copy(reader, writer);
                }
                writer.EndObject();
                break;
            case RpcValueKind.Array:
                writer.BeginArray();
                reader.BeginArray();
                while (reader.NextElement())
                {
                    Copy(reader, writer);
                }
                writer.EndArray();
                break;
            case RpcValueKind.String:
                writer.String(reader.ReadString());
                break;
            case RpcValueKind.Boolean:
                writer.Boolean(reader.ReadBoolean());
                break;
            case RpcValueKind.Null:
                reader.ReadNull();
                writer.Null();
                break;
            default:
                CopyNumber(reader, writer);
                break;
        }
    }

    static void CopyNumber(RpcJsonReader reader, IRpcWriter writer)
    {
        switch (reader.IntegerSign())
        {
            case null:
                writer.Number(reader.ReadDouble());
                break;
            case < 0:
                writer.Number(reader.ReadSigned());
                break;
            default:
                writer.Number(reader.ReadUnsigned());
                break;
        }
    }
}
