using System.Globalization;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Spindle.Host.Rpc.Configuration;

/// <summary>One call in a configuration file.</summary>
/// <param name="Subsystem">The subsystem it stands under.</param>
/// <param name="Method">The RPC method.</param>
/// <param name="Parameters">JSON text of its parameters; null without any.</param>
/// <param name="Line">Where it is in the file, from 1.</param>
public sealed record ConfigurationEntry(string Subsystem, string Method, string? Parameters, int Line);

/// <summary>A configuration in SPDK's format, <c>{"subsystems":[{"subsystem":…,"config":[{"method":…,"params":{…}}]}]}</c>, with comments allowed.</summary>
public sealed class ConfigurationFile
{
    static readonly JsonLoadSettings s_settings = new()
    {
        CommentHandling = CommentHandling.Ignore,
        LineInfoHandling = LineInfoHandling.Load,
        DuplicatePropertyNameHandling = DuplicatePropertyNameHandling.Error,
    };

    readonly List<ConfigurationEntry> _entries = [];

    ConfigurationFile(string name) => Name = name;

    /// <summary>The file's name, for messages.</summary>
    public string Name { get; }

    /// <summary>The calls in the file's order.</summary>
    public IReadOnlyList<ConfigurationEntry> Entries => _entries;

    /// <summary>Reads a file.</summary>
    /// <exception cref="ConfigurationException">It cannot be read, is not JSON, or has another form.</exception>
    public static ConfigurationFile Read(string path)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ConfigurationException($"{path}: the configuration cannot be read: {exception.Message}");
        }
        return Parse(text, path);
    }

    /// <summary>Reads a text.</summary>
    /// <param name="text">The configuration.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="ConfigurationException">It is not JSON, or has another form.</exception>
    public static ConfigurationFile Parse(string text, string name)
    {
        var file = new ConfigurationFile(name);
        try
        {
            using var reader = new JsonTextReader(new StringReader(text)) { DateParseHandling = DateParseHandling.None, MaxDepth = 64 };
            var root = JToken.Load(reader, s_settings);
            while (reader.Read())
            {
                // Comments may follow; anything else is an error that the reader finds.
            }
            file.TakeRoot(root);
        }
        catch (JsonReaderException exception)
        {
            throw new ConfigurationException($"{name}:{exception.LineNumber}:{exception.LinePosition}: {exception.Message}");
        }
        catch (JsonException exception)
        {
            throw new ConfigurationException($"{name}: {exception.Message}");
        }
        return file;
    }

    void TakeRoot(JToken root)
    {
        foreach (var member in Members(root, "the configuration"))
        {
            if (member.Name != "subsystems")
            {
                throw Error(member, $"member '{member.Name}' is not known; the configuration has \"subsystems\" only");
            }
            foreach (var subsystem in Elements(member.Value, "subsystems"))
            {
                TakeSubsystem(subsystem);
            }
        }
    }

    void TakeSubsystem(JToken token)
    {
        string? name = null;
        JToken? config = null;
        foreach (var member in Members(token, "a subsystem"))
        {
            switch (member.Name)
            {
                case "subsystem":
                    name = Text(member);
                    break;
                case "config":
                    config = member.Value;
                    break;
                default:
                    throw Error(member, $"member '{member.Name}' is not known; a subsystem has \"subsystem\" and \"config\"");
            }
        }
        if (name is null)
        {
            throw Error(token, "\"subsystem\" is missing; give the subsystem's name");
        }
        if (config is { Type: not JTokenType.Null })
        {
            foreach (var call in Elements(config, "config"))
            {
                TakeCall(call, name);
            }
        }
    }

    void TakeCall(JToken token, string subsystem)
    {
        string? method = null, parameters = null;
        foreach (var member in Members(token, "a call"))
        {
            switch (member.Name)
            {
                case "method":
                    method = Text(member);
                    break;
                case "params":
                    parameters = member.Value.Type switch
                    {
                        JTokenType.Null => null,
                        JTokenType.Object => member.Value.ToString(Formatting.None),
                        _ => throw Error(member.Value, "\"params\" must be an object or null"),
                    };
                    break;
                default:
                    throw Error(member, $"member '{member.Name}' is not known; a call has \"method\" and \"params\"");
            }
        }
        _entries.Add(new ConfigurationEntry(subsystem, method ?? throw Error(token, "\"method\" is missing; give the RPC method's name"), parameters, ((IJsonLineInfo)token).LineNumber));
    }

    IEnumerable<JProperty> Members(JToken token, string what) => token is JObject value ? value.Properties() : throw Error(token, $"{what} must be an object");

    IEnumerable<JToken> Elements(JToken token, string what) => token is JArray value ? value : throw Error(token, $"\"{what}\" must be an array");

    string Text(JProperty member) => member.Value.Type == JTokenType.String ? member.Value.Value<string>()! : throw Error(member.Value, $"\"{member.Name}\" must be a string");

    ConfigurationException Error(JToken at, string message)
    {
        var line = (IJsonLineInfo)at;
        return new ConfigurationException(string.Create(CultureInfo.InvariantCulture, $"{Name}:{line.LineNumber}:{line.LinePosition}: {message}"));
    }
}
