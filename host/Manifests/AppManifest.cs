using System.Text.RegularExpressions;
using Spindle.Host.Faults;
using Spindle.Host.Modules;

namespace Spindle.Host.Manifests;

/// <summary>A module that an app is made of.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Versions">Which of its versions; the highest that fits is taken.</param>
/// <param name="SettingsJson">Its settings, a JSON object.</param>
/// <param name="Unloadable">Overrides what its module.json says; null to follow it.</param>
public sealed record AppModule(string Name, VersionRange Versions, string SettingsJson = "{}", bool? Unloadable = null)
{
    /// <summary>Its highest version, with no settings.</summary>
    public AppModule(string name) : this(name, VersionRange.Any) { }
}

/// <summary>An app.json: the modules and front-ends a target is made of, and how it runs. No code.</summary>
public sealed partial record AppManifest
{
    /// <summary>The app's name.</summary>
    public required string Name { get; init; }

    /// <summary>The folder of app.json, absolute.</summary>
    public required string Folder { get; init; }

    /// <summary>Bdev modules.</summary>
    public IReadOnlyList<AppModule> Modules { get; init; } = [];

    /// <summary>Front-ends.</summary>
    public IReadOnlyList<AppModule> FrontEnds { get; init; } = [];

    /// <summary>The configuration to start with, absolute; null when there is none.</summary>
    public string? ConfigFile { get; init; }

    /// <summary>A core mask or list as text; null when the manifest has none.</summary>
    public string? CpuMask { get; init; }

    /// <summary>The number of cores to take, fewer where the machine has fewer; null when the manifest has none.</summary>
    public int? CoreCount { get; init; }

    /// <summary>True: reactors never sleep.</summary>
    public bool Spin { get; init; }

    /// <summary>True when there is to be a control socket.</summary>
    public bool RpcEnabled { get; init; } = true;

    /// <summary>The control socket's path; null for the default.</summary>
    public string? RpcSocket { get; init; }

    /// <summary>Take DMA memory from huge pages when some are reserved.</summary>
    public bool UseHugePages { get; init; } = true;

    /// <summary>Small I/O buffers; null for the default, as for the next three.</summary>
    public int? IobufSmallCount { get; init; }

    /// <summary>Large I/O buffers.</summary>
    public int? IobufLargeCount { get; init; }

    /// <summary>Bytes of a small I/O buffer.</summary>
    public uint? IobufSmallSize { get; init; }

    /// <summary>Bytes of a large I/O buffer.</summary>
    public uint? IobufLargeSize { get; init; }

    /// <summary>What is done about faults of modules.</summary>
    public FaultOptions Faults { get; init; } = new();

    /// <summary>PEM files of the keys whose modules are taken, absolute; null: modules need no signature.</summary>
    public IReadOnlyList<string>? TrustedKeys { get; init; }

    /// <summary>Use the portable environment.</summary>
    public bool Portable { get; init; }

    /// <summary>"auto", "io_uring" or "epoll".</summary>
    public string Ring { get; init; } = "auto";

    /// <summary>Reads an app.json.</summary>
    /// <param name="path">The file, or the folder it is in.</param>
    /// <exception cref="ManifestException">With file, line and field.</exception>
    public static AppManifest Load(string path)
    {
        var file = Path.GetFullPath(Directory.Exists(path) ? Path.Combine(path, "app.json") : path);
        var json = ManifestObject.Load(file);
        var name = json.RequiredString("name");
        if (!NamePattern().IsMatch(name) || name.Length > 64)
            throw json.Error("name", $"\"{name}\" must be letters, digits, '_' and '-', beginning with a letter, at most 64 characters");
        var folder = Path.GetDirectoryName(file)!;
        var manifest = new AppManifest
        {
            Name = name,
            Folder = folder,
            Modules = ReadModules(json, "modules"),
            FrontEnds = ReadModules(json, "frontends"),
            ConfigFile = ReadConfig(json, folder),
        };
        manifest = ReadReactors(json, manifest);
        manifest = ReadRpc(json, manifest);
        manifest = ReadMemory(json, manifest);
        manifest = ReadEnvironment(json, manifest);
        manifest = ReadFaults(json, manifest);
        manifest = ReadTrust(json, manifest);
        json.End();
        if (manifest.Modules.Concat(manifest.FrontEnds).GroupBy(module => module.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw json.Error(manifest.FrontEnds.Any(module => module.Name == twice.Key) ? "frontends" : "modules", $"\"{twice.Key}\" is there twice; remove one");
        return manifest;
    }

    private static List<AppModule> ReadModules(ManifestObject json, string member)
    {
        var modules = new List<AppModule>();
        foreach (var (name, entry, _, _) in json.NamesOrObjects(member))
        {
            modules.Add(entry is null
                ? new AppModule(name!)
                : new AppModule(entry.RequiredString("name"), ModuleManifest.ReadRange(entry), entry.RawObject("settings") ?? "{}", entry.Boolean("unloadable")));
            entry?.End();
        }
        return modules;
    }

    private static string? ReadConfig(ManifestObject json, string folder)
    {
        var named = json.String("config");
        var file = Path.Combine(folder, named ?? "config.json");
        if (File.Exists(file)) return file;
        return named is null ? null : throw json.Error("config", $"\"{named}\" is not there; create {file}, or leave the member out");
    }

    private static AppManifest ReadReactors(ManifestObject json, AppManifest manifest)
    {
        if (json.Object("reactors") is not { } reactors) return manifest;
        var (count, list) = reactors.IntegerOrList("cores", 0, 4095);
        if (list is { Count: 0 } || count == 0) throw reactors.Error("cores", "must be at least 1, or a list of at least one core");
        var mask = reactors.String("cpumask");
        if (mask is not null && reactors.Has("cores")) throw reactors.Error("cores", "does not go with \"cpumask\"; remove one of them");
        var mode = reactors.Word("pollMode", "adaptive", "spin");
        reactors.End();
        return manifest with
        {
            CpuMask = mask ?? (list is null ? null : $"[{string.Join(',', list)}]"),
            CoreCount = (int?)count,
            Spin = mode == "spin",
        };
    }

    private static AppManifest ReadRpc(ManifestObject json, AppManifest manifest)
    {
        if (json.Object("rpc") is not { } rpc) return manifest;
        manifest = manifest with { RpcEnabled = rpc.Boolean("enabled") ?? true, RpcSocket = rpc.String("socket") };
        rpc.End();
        return manifest;
    }

    private static AppManifest ReadMemory(ManifestObject json, AppManifest manifest)
    {
        if (json.Object("memory") is not { } memory) return manifest;
        manifest = manifest with
        {
            UseHugePages = memory.Boolean("hugePages") ?? true,
            IobufSmallCount = (int?)memory.Integer("iobufSmallCount", 64, 1 << 24),
            IobufLargeCount = (int?)memory.Integer("iobufLargeCount", 8, 1 << 20),
            IobufSmallSize = BufferSize(memory, "iobufSmallSize", 4096),
            IobufLargeSize = BufferSize(memory, "iobufLargeSize", 8192),
        };
        memory.End();
        return manifest;
    }

    private static uint? BufferSize(ManifestObject memory, string member, long min) =>
        memory.Integer(member, min, 1 << 24) is not { } size ? null
            : size % 4096 == 0 ? (uint)size : throw memory.Error(member, $"must be a multiple of 4096 bytes, not {size}");

    private static AppManifest ReadEnvironment(ManifestObject json, AppManifest manifest)
    {
        if (json.Object("environment") is not { } environment) return manifest;
        manifest = manifest with
        {
            Portable = environment.Boolean("portable") ?? false,
            Ring = environment.Word("ring", "auto", "io_uring", "epoll") ?? "auto",
        };
        environment.End();
        return manifest;
    }

    private static AppManifest ReadTrust(ManifestObject json, AppManifest manifest)
    {
        if (json.Object("trust") is not { } trust) return manifest;
        var keys = trust.Strings("keys");
        if (keys.Count == 0) throw trust.Error("keys", "is missing or empty; name at least one key file (.pub), or leave \"trust\" out to take unsigned modules");
        trust.End();
        return manifest with { TrustedKeys = [.. keys.Select(key => Path.GetFullPath(key, manifest.Folder))] };
    }

    private static AppManifest ReadFaults(ManifestObject json, AppManifest manifest)
    {
        if (json.Object("faults") is not { } faults) return manifest;
        var defaults = new FaultOptions();
        manifest = manifest with
        {
            Faults = new FaultOptions
            {
                HoldLimit = Milliseconds("holdLimitMs", 1, defaults.HoldLimit),
                HangLimit = Milliseconds("hangLimitMs", 10, defaults.HangLimit),
                OnHang = Enum.Parse<HangAction>(faults.Word("onHang", "report", "exit", "restart") ?? "report", ignoreCase: true),
                DumpFolder = faults.String("dumpFolder"),
                IoTimeout = Milliseconds("ioTimeoutMs", 0, defaults.IoTimeout),
                OnIoTimeout = Enum.Parse<IoTimeoutAction>(faults.Word("onIoTimeout", "none", "report", "abort", "reset", "remove") ?? "report", ignoreCase: true),
                HeapLimit = faults.Integer("heapLimitMiB", 1, 1 << 24) is { } limit ? limit << 20 : defaults.HeapLimit,
                RpcFaults = faults.Boolean("rpcFaults") ?? true,
            },
        };
        faults.End();
        return manifest;

        TimeSpan Milliseconds(string member, long min, TimeSpan absent) => faults.Integer(member, min, 3_600_000) is { } value ? TimeSpan.FromMilliseconds(value) : absent;
    }

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9_-]*$")]
    private static partial Regex NamePattern();
}
