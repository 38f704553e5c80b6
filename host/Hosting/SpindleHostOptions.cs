using Microsoft.Extensions.Logging;
using Spindle.Host.Faults;
using Spindle.Host.Manifests;
using Spindle.Host.Memory;
using Spindle.Host.Modules.Installation;

namespace Spindle.Host.Hosting;

/// <summary>What a host is made of and how it runs. The defaults make one that a program embeds: one reactor, no modules, no control socket.</summary>
public sealed record SpindleHostOptions
{
    /// <summary>Folders that hold modules as NAME/VERSION/module.json.</summary>
    public IReadOnlyList<string> ModuleFolders { get; init; } = DefaultModuleFolders();

    /// <summary>The modules to load and start; of any kind, in any order.</summary>
    public IReadOnlyList<AppModule> Modules { get; init; } = [];

    /// <summary>A configuration in SPDK's JSON format to load at the start; null for none.</summary>
    public string? ConfigFile { get; init; }

    /// <summary>The cores that run reactors, as a mask ("0x3") or list ("[0,2]"); null: as <see cref="CoreCount"/> says.</summary>
    public string? CpuMask { get; init; }

    /// <summary>The number of cores to take, the first available ones; fewer where there are fewer, which is logged.</summary>
    public int CoreCount { get; init; } = 1;

    /// <summary>True: reactors never sleep, for the lowest latency at the price of whole cores.</summary>
    public bool Spin { get; init; }

    /// <summary>True: once the host is ready, all other threads of this process keep off the reactors' cores, as far as there are others. It concerns the whole
    /// process, so it is not for a program that embeds a host beside other work.</summary>
    public bool ReactorsOwnTheirCores { get; init; }

    /// <summary>Use the portable environment even on Linux.</summary>
    public bool Portable { get; init; }

    /// <summary>"auto", "io_uring" or "epoll"; Linux only.</summary>
    public string Ring { get; init; } = "auto";

    /// <summary>Take DMA memory from reserved huge pages when there are any.</summary>
    public bool UseHugePages { get; init; } = true;

    /// <summary>The I/O buffer pools.</summary>
    public IobufOptions Iobuf { get; init; } = new();

    /// <summary>The control socket's path; null for none.</summary>
    public string? RpcSocket { get; init; }

    /// <summary>True: modules are started by the RPC <c>framework_start_init</c>, so that options can be set before.</summary>
    public bool WaitForRpc { get; init; }

    /// <summary>Where logs go; null: nowhere. Not disposed by the host.</summary>
    public ILoggerFactory? Logging { get; init; }

    /// <summary>Services of the embedding program that the host's own RPC methods may ask for, such as the log settings.</summary>
    public IReadOnlyList<object> Services { get; init; } = [];

    /// <summary>How long the end may take: I/O in flight, connections, modules. What is not done then is abandoned, which is logged.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>PEM files of the keys whose modules are taken; null: modules need no signature.</summary>
    public IReadOnlyList<string>? TrustedKeys { get; init; }

    /// <summary>How faults of modules are found, and what is done about them.</summary>
    public FaultOptions Faults { get; init; } = new();

    /// <summary>The default path of the control socket, SPDK's.</summary>
    public const string DefaultRpcSocket = "/var/tmp/spdk.sock";

    /// <summary>The options that an app's manifest says.</summary>
    public static SpindleHostOptions FromApp(AppManifest app)
    {
        var iobuf = new IobufOptions();
        return new SpindleHostOptions
        {
            // An app that was laid out to be copied elsewhere has its modules beside its manifest.
            ModuleFolders = [Path.Combine(app.Folder, "modules"), .. DefaultModuleFolders()],
            Modules = [.. app.Modules, .. app.FrontEnds],
            ConfigFile = app.ConfigFile,
            CpuMask = app.CpuMask,
            CoreCount = app.CoreCount ?? 1,
            Spin = app.Spin,
            Portable = app.Portable,
            Ring = app.Ring,
            Faults = app.Faults,
            TrustedKeys = app.TrustedKeys,
            UseHugePages = app.UseHugePages,
            RpcSocket = app.RpcEnabled ? app.RpcSocket ?? DefaultRpcSocket : null,
            Iobuf = iobuf with
            {
                SmallPoolCount = app.IobufSmallCount ?? iobuf.SmallPoolCount,
                LargePoolCount = app.IobufLargeCount ?? iobuf.LargePoolCount,
                SmallBufferSize = app.IobufSmallSize ?? iobuf.SmallBufferSize,
                LargeBufferSize = app.IobufLargeSize ?? iobuf.LargeBufferSize,
            },
        };
    }

    /// <summary>The user's installed modules last; before them beside the program, one folder up (as the build lays it out), and in the artifacts of the source tree the program is in.</summary>
    public static IReadOnlyList<string> DefaultModuleFolders()
    {
        var program = AppContext.BaseDirectory;
        var folders = new List<string> { Path.Combine(program, "modules"), Path.GetFullPath(Path.Combine(program, "..", "modules")) };
        for (var folder = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(program)); folder is not null; folder = Path.GetDirectoryName(folder))
            if (Path.Combine(folder, "artifacts", "modules") is var built && Directory.Exists(built)) folders.Add(built);
        folders.Add(ModuleStore.DefaultFolder);
        return folders.Where(Directory.Exists).Distinct().ToList();
    }
}
