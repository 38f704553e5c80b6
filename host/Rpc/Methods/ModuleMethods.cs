using Spindle.Host.Modules;
using Spindle.Host.Modules.Upgrade;
using Spindle.Host.Rpc.Json;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>Modules of the running host. Errors have the codes -1000 minus the number of a <see cref="ModuleErrorCode"/>.</summary>
internal sealed class ModuleMethods(ModuleHost modules, ModuleControl control)
{
    [RpcMethod("module_load", Summary = "Checks a module's files, loads it and starts it; bdevs that are there are examined.")]
    public async Task<ModuleReply> LoadAsync(ModuleLoadParameters p) =>
        Describe(await control.LoadAsync(p.Name, Range(p.Version), Settings(p.Settings), p.Unloadable));

    [RpcMethod("module_unload", Summary = "Stops a module and unloads its code. Refused while it is in use, unless forced.")]
    public async Task<ModuleUnloadReply> UnloadAsync(ModuleUnloadParameters p) => new() { Name = p.Name, CodeUnloaded = await control.UnloadAsync(p.Name, p.Force) };

    [RpcMethod("module_upgrade", Summary = "Puts another version of a running module in its place under live I/O; rolled back when the other version does not come up.")]
    public async Task<ModuleUpgradeReply> UpgradeAsync(ModuleUpgradeParameters p)
    {
        if (p.TimeoutMs is < 1 or > 600_000) throw new RpcException(RpcErrorCode.InvalidParams, $"Invalid parameters: timeout_ms is {p.TimeoutMs}; it must be 1 to 600000");
        return Describe(await control.UpgradeAsync(p.Name, Range(p.Version), p.Force, TimeSpan.FromMilliseconds(p.TimeoutMs)));
    }

    [RpcMethod("module_get_modules", Summary = "The modules that are loaded, in the order of loading.")]
    public IReadOnlyList<ModuleReply> GetModules(ModuleGetParameters p)
    {
        if (p.Name is { } name && modules.Find(name) is null) throw new ModuleException(ModuleErrorCode.InvalidState, name, "is not loaded.");
        return [.. modules.Modules.Where(m => p.Name is null || m.Name == p.Name).Select(Describe)];
    }

    [RpcMethod("module_verify", Summary = "Checks the files of a module that lies in the modules folders, as before a load; runs none of its code.")]
    public async Task<ModuleVerifyReply> VerifyAsync(ModuleVerifyParameters p)
    {
        var manifest = await control.VerifyAsync(p.Name, Range(p.Version));
        return new ModuleVerifyReply { Name = manifest.Name, Version = manifest.Version.ToString(), Folder = manifest.Folder, Hashed = manifest.Hashes is not null };
    }

    static VersionRange Range(string? text) => text is null ? VersionRange.Any : VersionRange.TryParse(text, out var range) ? range
        : throw new RpcException(RpcErrorCode.InvalidParams, $"Invalid parameters: version is \"{text}\"; it must be a version (1.2.3) or a range from (inclusive) to (exclusive): [1.0, 2.0)");

    static string Settings(string? text)
    {
        if (text is null) return "{}";
        try
        {
            using var json = System.Text.Json.JsonDocument.Parse(text);
            if (json.RootElement.ValueKind == System.Text.Json.JsonValueKind.Object) return text;
        }
        catch (System.Text.Json.JsonException)
        {
        }
        throw new RpcException(RpcErrorCode.InvalidParams, "Invalid parameters: settings must be the text of a JSON object");
    }

    ModuleReply Describe(LoadedModule module) => new()
    {
        Name = module.Name,
        Version = module.Manifest.Version.ToString(),
        Kinds = [.. module.Manifest.Kinds.ToString().ToLowerInvariant().Split(", ")],
        State = module.State.ToString().ToLowerInvariant(),
        Problem = module.Problem,
        Unloadable = module.IsUnloadable,
        Upgradable = module.Upgrade is not null,
        StateVersion = module.Upgrade?.StateVersion,
        Contract = module.Manifest.Contract.ToString(),
        Folder = module.Manifest.Folder,
        Uses = control.UsesOf(module),
    };

    static ModuleUpgradeReply Describe(UpgradeReport report) => new()
    {
        Name = report.Name,
        From = report.From,
        To = report.To,
        PauseUs = (ulong)report.Pause.TotalMicroseconds,
        Bdevs = report.Bdevs,
        Restarted = report.Restarted,
        OldCodeUnloaded = report.OldCodeUnloaded,
    };
}

[RpcObject]
internal sealed class ModuleLoadParameters
{
    [RpcMember(Required = true, Summary = "The module's name.")]
    public string Name { get; init; } = "";

    [RpcMember(Summary = "A version (1.2.3) or a range ([1.0, 2.0)); the highest that fits, of all when absent.")]
    public string? Version { get; init; }

    [RpcMember(Summary = "The module's settings: the text of a JSON object.")]
    public string? Settings { get; init; }

    [RpcMember(Summary = "Overrides what its module.json says.")]
    public bool? Unloadable { get; init; }
}

[RpcObject]
internal sealed class ModuleUnloadParameters
{
    [RpcMember(Required = true, Summary = "The module's name.")]
    public string Name { get; init; } = "";

    [RpcMember(Summary = "Also while it is in use: its bdevs are removed under those who have them open.")]
    public bool Force { get; init; }
}

[RpcObject]
internal sealed class ModuleUpgradeParameters
{
    [RpcMember(Required = true, Summary = "The module's name.")]
    public string Name { get; init; } = "";

    [RpcMember(Summary = "A version (1.2.3) or a range ([1.0, 2.0)); the highest that fits, of all when absent.")]
    public string? Version { get; init; }

    [RpcMember(Summary = "When the module cannot hand over: stop it and start the other version with the same configuration. Hosts notice.")]
    public bool Force { get; init; }

    [RpcMember(Summary = "Milliseconds that outstanding I/O and RPC calls may take to end; 10000 when absent.")]
    public int TimeoutMs { get; init; } = 10_000;
}

[RpcObject]
internal sealed class ModuleGetParameters
{
    [RpcMember(Summary = "Only this one.")]
    public string? Name { get; init; }
}

[RpcObject]
internal sealed class ModuleVerifyParameters
{
    [RpcMember(Required = true, Summary = "The module's name.")]
    public string Name { get; init; } = "";

    [RpcMember(Summary = "A version (1.2.3) or a range ([1.0, 2.0)); the highest that fits, of all when absent.")]
    public string? Version { get; init; }
}

[RpcObject]
internal sealed class ModuleReply
{
    public string Name { get; init; } = "";

    public string Version { get; init; } = "";

    public IReadOnlyList<string> Kinds { get; init; } = [];

    public string State { get; init; } = "";

    public string? Problem { get; init; }

    public bool Unloadable { get; init; }

    public bool Upgradable { get; init; }

    public int? StateVersion { get; init; }

    public string Contract { get; init; } = "";

    public string Folder { get; init; } = "";

    public IReadOnlyList<string> Uses { get; init; } = [];
}

[RpcObject]
internal sealed class ModuleUnloadReply
{
    public string Name { get; init; } = "";

    public bool CodeUnloaded { get; init; }
}

[RpcObject]
internal sealed class ModuleUpgradeReply
{
    public string Name { get; init; } = "";

    public string From { get; init; } = "";

    public string To { get; init; } = "";

    public ulong PauseUs { get; init; }

    public IReadOnlyList<string> Bdevs { get; init; } = [];

    public bool Restarted { get; init; }

    public bool OldCodeUnloaded { get; init; }
}

[RpcObject]
internal sealed class ModuleVerifyReply
{
    public string Name { get; init; } = "";

    public string Version { get; init; } = "";

    public string Folder { get; init; } = "";

    public bool Hashed { get; init; }
}
