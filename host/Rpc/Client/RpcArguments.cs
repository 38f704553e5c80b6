using System.Buffers;
using System.Text;
using System.Text.Json;
using Spindle.Host.Rpc.Json;

namespace Spindle.Host.Rpc.Client;

/// <summary>Parameters as people type them.</summary>
public static class RpcArguments
{
    /// <summary>Makes the parameter object of a call.</summary>
    /// <param name="arguments">One JSON object; or any number of <c>name=value</c>, each value taken as JSON if it is JSON and as a string
    /// otherwise; or nothing.</param>
    /// <returns>JSON text; null without parameters.</returns>
    /// <exception cref="FormatException">They are neither; the message says what would be right.</exception>
    public static string? Parse(IReadOnlyList<string> arguments)
    {
        if (arguments.Count == 0)
        {
            return null;
        }
        var first = arguments[0].TrimStart();
        if (first.StartsWith('{') || first.StartsWith('['))
        {
            if (arguments.Count > 1)
            {
                throw new FormatException("Give one JSON object, or name=value pairs, not both.");
            }
            return IsJson(first, out var error) ? first : throw new FormatException($"The parameters are not valid JSON: {error}");
        }
        var output = new ArrayBufferWriter<byte>();
        using var writer = new RpcJsonWriter(output);
        var names = new HashSet<string>(StringComparer.Ordinal);
        writer.BeginObject();
        foreach (var argument in arguments)
        {
            var equals = argument.IndexOf('=');
            if (equals <= 0)
            {
                throw new FormatException($"'{argument}' is no parameter: write name=value, or one JSON object such as '{{\"name\":\"Malloc0\"}}'.");
            }
            var (name, value) = (argument[..equals], argument[(equals + 1)..]);
            if (!names.Add(name))
            {
                throw new FormatException($"Parameter '{name}' is given twice; for a list write {name}='[\"a\",\"b\"]'.");
            }
            writer.Name(name);
            if (IsJson(value, out _))
            {
                writer.Raw(Encoding.UTF8.GetBytes(value));
            }
            else
            {
                writer.String(value);
            }
        }
        writer.EndObject();
        writer.Complete();
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    static bool IsJson(string text, out string error)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            error = "";
            return true;
        }
        catch (JsonException exception)
        {
            error = exception.Message;
            return false;
        }
    }
}
