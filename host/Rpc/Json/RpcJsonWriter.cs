using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Json;

/// <summary>Writes one JSON value as UTF-8.</summary>
public sealed class RpcJsonWriter : IRpcWriter, IDisposable
{
    readonly Utf8JsonWriter _writer;

    /// <param name="output">Where the text goes; complete after <see cref="Complete"/>.</param>
    /// <param name="indented">True for people.</param>
    public RpcJsonWriter(IBufferWriter<byte> output, bool indented = false) =>
        _writer = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Indented = indented, MaxDepth = 1000 });

    /// <inheritdoc/>
    public void BeginObject() => _writer.WriteStartObject();

    /// <inheritdoc/>
    public void EndObject() => _writer.WriteEndObject();

    /// <inheritdoc/>
    public void BeginArray() => _writer.WriteStartArray();

    /// <inheritdoc/>
    public void EndArray() => _writer.WriteEndArray();

    /// <inheritdoc/>
    public void Name(string name) => _writer.WritePropertyName(name);

    /// <inheritdoc/>
    public void String(string? value) => _writer.WriteStringValue(value);

    /// <inheritdoc/>
    public void Boolean(bool value) => _writer.WriteBooleanValue(value);

    /// <inheritdoc/>
    public void Number(long value) => _writer.WriteNumberValue(value);

    /// <inheritdoc/>
    public void Number(ulong value) => _writer.WriteNumberValue(value);

    /// <inheritdoc/>
    public void Number(double value)
    {
        if (!double.IsFinite(value))
        {
            throw new InvalidOperationException("JSON has no infinite numbers and no NaN.");
        }
        _writer.WriteNumberValue(value);
    }

    /// <inheritdoc/>
    public void Null() => _writer.WriteNullValue();

    /// <summary>Writes a value that is JSON already.</summary>
    public void Raw(ReadOnlySpan<byte> json) => _writer.WriteRawValue(json);

    /// <summary>Hands everything to the output.</summary>
    /// <exception cref="InvalidOperationException">There is no value, or it is not complete.</exception>
    public void Complete()
    {
        if (_writer.CurrentDepth != 0 || _writer.BytesCommitted + _writer.BytesPending == 0)
        {
            throw new InvalidOperationException("No complete JSON value was written.");
        }
        _writer.Flush();
    }

    /// <inheritdoc/>
    public void Dispose() => _writer.Reset();
}
