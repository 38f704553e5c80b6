using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Spindle.Host.Manifests;

/// <summary>Reads one object of a manifest strictly: each member once, with its type; what nobody asked for is an error that names
/// the line and the members there are. Comments are allowed.</summary>
internal sealed class ManifestObject
{
    /// <summary>Bytes; nothing written by hand is larger.</summary>
    private const long MaxFileSize = 1 << 20;

    private readonly JObject _object;
    private readonly string _file;
    private readonly string _path;
    private readonly List<string> _known = ["$schema"];

    private ManifestObject(JObject json, string file, string path)
    {
        _object = json;
        _file = file;
        _path = path;
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="ManifestException">It is missing, unreadable, too large, not JSON, or not one object.</exception>
    public static ManifestObject Load(string file)
    {
        string text;
        try
        {
            if (new FileInfo(file) is { Exists: true, Length: > MaxFileSize })
                throw new ManifestException(file, 0, "", $"is larger than {MaxFileSize / 1024} KiB; a manifest is not that long");
            text = File.ReadAllText(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new ManifestException(file, 0, "", "there is no such file", Errno.ENOENT);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ManifestException(file, 0, "", $"cannot be read: {e.Message}", Errno.EACCES);
        }
        return Parse(text, file);
    }

    /// <summary>Reads a text.</summary>
    public static ManifestObject Parse(string text, string file)
    {
        var settings = new JsonLoadSettings
        {
            DuplicatePropertyNameHandling = DuplicatePropertyNameHandling.Error,
            LineInfoHandling = LineInfoHandling.Load,
            CommentHandling = CommentHandling.Ignore,
        };
        try
        {
            using var reader = new JsonTextReader(new StringReader(text))
            {
                MaxDepth = 32, DateParseHandling = DateParseHandling.None, FloatParseHandling = FloatParseHandling.Decimal,
            };
            var token = JToken.ReadFrom(reader, settings);
            while (reader.Read())
                if (reader.TokenType != JsonToken.Comment)
                    throw new ManifestException(file, reader.LineNumber, "", "there is text after the end of the object; remove it");
            return token is JObject json
                ? new ManifestObject(json, file, "")
                : throw new ManifestException(file, Line(token), "", $"must be an object ({{ … }}), not {Describe(token)}");
        }
        catch (JsonReaderException e)
        {
            throw new ManifestException(file, e.LineNumber, e.Path ?? "", $"is not JSON: {FirstSentence(e.Message)}");
        }
        catch (JsonException e)
        {
            throw new ManifestException(file, 0, "", $"is not JSON: {FirstSentence(e.Message)}");
        }
    }

    /// <summary>The file it is from.</summary>
    public string FileName => _file;

    /// <summary>True when the member is there (and not null).</summary>
    public bool Has(string name) => Peek(name) is not null;

    public string RequiredString(string name) => String(name) ?? throw Missing(name);

    public string? String(string name) => Take(name, JTokenType.String, "a string")?.Value<string>() is { } text
        ? text.Length > 0 ? text : throw Error(name, "must not be empty")
        : null;

    public bool? Boolean(string name) => Take(name, JTokenType.Boolean, "true or false")?.Value<bool>();

    public long? Integer(string name, long min, long max)
    {
        if (Take(name, JTokenType.Integer, "an integer") is not { } token) return null;
        return InBounds(token, PathOf(name), min, max);
    }

    public ManifestObject? Object(string name) =>
        Take(name, JTokenType.Object, "an object") is JObject json ? new ManifestObject(json, _file, PathOf(name)) : null;

    /// <summary>One of some words.</summary>
    public string? Word(string name, params ReadOnlySpan<string> allowed)
    {
        if (String(name) is not { } text) return null;
        foreach (var word in allowed)
            if (word == text) return text;
        throw Error(name, $"must be one of {string.Join(", ", allowed!)}, not \"{text}\"");
    }

    /// <summary>The member as JSON text; null when it is absent.</summary>
    public string? RawObject(string name) => Take(name, JTokenType.Object, "an object")?.ToString(Formatting.None);

    /// <summary>An array of strings; empty when it is absent.</summary>
    public IReadOnlyList<string> Strings(string name)
    {
        var result = new List<string>();
        foreach (var (element, path) in Elements(name))
        {
            if (element.Type != JTokenType.String) throw ErrorAt(element, path, $"must be a string, not {Describe(element)}");
            var text = element.Value<string>()!;
            if (text.Length == 0) throw ErrorAt(element, path, "must not be empty");
            if (result.Contains(text)) throw ErrorAt(element, path, $"\"{text}\" is there twice; remove one");
            result.Add(text);
        }
        return result;
    }

    /// <summary>An integer or an array of integers; null when it is absent.</summary>
    public (long? Single, IReadOnlyList<long>? Many) IntegerOrList(string name, long min, long max)
    {
        if (Peek(name) is not JArray) return (Integer(name, min, max), null);
        var result = new List<long>();
        foreach (var (element, path) in Elements(name))
        {
            if (element.Type != JTokenType.Integer) throw ErrorAt(element, path, $"must be an integer, not {Describe(element)}");
            result.Add(InBounds(element, path, min, max));
        }
        return (null, result);
    }

    /// <summary>An array whose elements are a name, or an object that begins with one; empty when it is absent.</summary>
    public IEnumerable<(string? Name, ManifestObject? Object, int Line, string Path)> NamesOrObjects(string name)
    {
        foreach (var (element, path) in Elements(name))
            yield return element switch
            {
                JObject json => (null, new ManifestObject(json, _file, path), Line(element), path),
                { Type: JTokenType.String } when element.Value<string>()!.Length > 0 => (element.Value<string>(), null, Line(element), path),
                _ => throw ErrorAt(element, path, $"must be a module's name or an object with \"name\", not {Describe(element)}"),
            };
    }

    /// <summary>An object whose members are all strings; null when it is absent.</summary>
    public IReadOnlyDictionary<string, string>? StringMap(string name)
    {
        if (Take(name, JTokenType.Object, "an object") is not JObject json) return null;
        var result = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var property in json.Properties())
            result[property.Name] = property.Value.Type == JTokenType.String
                ? property.Value.Value<string>()!
                : throw ErrorAt(property.Value, $"{PathOf(name)}.{property.Name}", $"must be a string, not {Describe(property.Value)}");
        return result;
    }

    /// <summary>Refuses members that were not asked for.</summary>
    public void End()
    {
        foreach (var property in _object.Properties())
            if (!_known.Contains(property.Name))
                throw ErrorAt(property, PathOf(property.Name), $"is not known here; the members are {string.Join(", ", _known.Skip(1))}");
    }

    /// <summary>The error for a member whose value does not fit.</summary>
    public ManifestException Error(string name, string problem) =>
        ErrorAt(_object.Property(name) as JToken ?? _object, PathOf(name), problem);

    private ManifestException Missing(string name) => ErrorAt(_object, PathOf(name), "is missing; add it");

    private ManifestException ErrorAt(JToken token, string path, string problem) => new(_file, Line(token), path, problem);

    private long InBounds(JToken token, string path, long min, long max)
    {
        // A number beyond 64 bits is kept as a BigInteger.
        if (((JValue)token).Value is long value && value >= min && value <= max) return value;
        throw ErrorAt(token, path, $"must be from {min} to {max}, not {token}");
    }

    private IEnumerable<(JToken Element, string Path)> Elements(string name)
    {
        if (Take(name, JTokenType.Array, "an array") is not JArray array) yield break;
        for (int i = 0; i < array.Count; i++) yield return (array[i], $"{PathOf(name)}[{i}]");
    }

    private JToken? Take(string name, JTokenType type, string what)
    {
        var token = Peek(name);
        if (token is not null && token.Type != type) throw Error(name, $"must be {what}, not {Describe(token)}");
        return token;
    }

    private JToken? Peek(string name)
    {
        if (!_known.Contains(name)) _known.Add(name);
        return _object.TryGetValue(name, StringComparison.Ordinal, out var token) && token.Type != JTokenType.Null ? token : null;
    }

    private string PathOf(string name) => _path.Length > 0 ? $"{_path}.{name}" : name;

    private static int Line(JToken token) => token is IJsonLineInfo info && info.HasLineInfo() ? info.LineNumber : 0;

    private static string Describe(JToken token) => token.Type switch
    {
        JTokenType.Object => "an object",
        JTokenType.Array => "an array",
        JTokenType.String => $"the string \"{token}\"",
        JTokenType.Boolean => token.Value<bool>() ? "true" : "false",
        JTokenType.Null => "null",
        _ => $"{token}",
    };

    // The library's messages end with "Path '…', line …", which is said already.
    private static string FirstSentence(string message)
    {
        int at = message.IndexOf(" Path '", StringComparison.Ordinal);
        return at > 0 ? message[..at] : message;
    }
}
