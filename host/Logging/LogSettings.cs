using System.Collections.Concurrent;

namespace Spindle.Host.Logging;

/// <summary>What is logged, changeable at any time on any thread.</summary>
public sealed class LogSettings
{
    readonly ConcurrentDictionary<string, LogFlag> _flags = new(StringComparer.Ordinal);

    /// <summary>What goes to standard error: this level and graver ones.</summary>
    public SpindleLogLevel PrintLevel { get; set; } = SpindleLogLevel.Info;

    /// <summary>What goes to the system's log, where there is one: this level and graver ones.</summary>
    public SpindleLogLevel Level { get; set; } = SpindleLogLevel.Notice;

    /// <summary>The components that have logged, or may, and whether their details are wanted.</summary>
    public IReadOnlyList<(string Name, bool Enabled)> Flags => [.. _flags.Values.Select(f => (f.Name, f.Enabled)).OrderBy(f => f.Name, StringComparer.Ordinal)];

    /// <summary>Turns a component's details on or off; "all" for every one.</summary>
    /// <returns>False when there is no such component.</returns>
    public bool SetFlag(string name, bool enabled)
    {
        if (name == "all")
        {
            foreach (var flag in _flags.Values)
            {
                flag.Enabled = enabled;
            }
            return true;
        }
        if (!_flags.TryGetValue(name, out var one))
        {
            return false;
        }
        one.Enabled = enabled;
        return true;
    }

    /// <summary>The flag of a component, made when it is new.</summary>
    internal LogFlag Flag(string name) => _flags.GetOrAdd(name, static n => new LogFlag(n));

    /// <summary>The component of a logger's category: a module's name, or the folder of the host: "Spindle.Host.Rpc.RpcServer" is "rpc".</summary>
    internal static string ComponentOf(string category)
    {
        const string host = "Spindle.Host.";
        var rest = category.StartsWith(host, StringComparison.Ordinal) ? category[host.Length..] : category;
        var end = rest.IndexOf('.');
        return (end < 0 ? rest : rest[..end]).ToLowerInvariant().Replace('-', '_');
    }
}

/// <summary>One component's switch.</summary>
internal sealed class LogFlag(string name)
{
    public string Name { get; } = name;

    public volatile bool Enabled;
}
