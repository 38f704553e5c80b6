using Newtonsoft.Json.Linq;
using Spindle.Bench.Contenders;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Scenarios;

/// <summary>A bdev under load from inside the process, on one core. Each run is a process of its own.</summary>
/// <param name="Backend">What lies behind: null, malloc, passthru, aio-tmpfs, aio-disk.</param>
/// <param name="Pattern">randread, randwrite …</param>
/// <param name="IoSize">Bytes.</param>
/// <param name="QueueDepth">I/Os outstanding.</param>
public sealed record BdevLoad(string Backend, string Pattern, int IoSize, int QueueDepth);

/// <inheritdoc cref="BdevLoad"/>
public sealed class BdevScenario(BdevLoad load)
    : Scenario($"bdev/{load.Backend}/{load.Pattern}/{SizeText(load.IoSize)}/q{load.QueueDepth}",
        $"{load.Pattern} of {SizeText(load.IoSize)} on {load.Backend}, {load.QueueDepth} outstanding, one core, no protocol", Metric.Iops)
{
    public const string BdevName = "Bench0";

    public BdevLoad Load => load;

    public override Task<IMeasurement?> OpenAsync(Contender contender, BenchSettings settings, CancellationToken cancellationToken)
    {
        string? file = Backing.FileOf(load.Backend, settings);
        var calls = Backing.Calls(load.Backend, BdevName, file);
        return Task.FromResult<IMeasurement?>(contender == Contender.Spindle
            ? new SpindleBdevMeasurement(load, calls, file, settings)
            : new PeerBdevMeasurement(load, calls, file, settings));
    }

    /// <summary>4k, 128k.</summary>
    public static string SizeText(int bytes) => bytes % 1024 == 0 ? $"{bytes / 1024}k" : $"{bytes}";
}

/// <summary>The bdevs behind a scenario, made by the same RPCs on both sides.</summary>
public static class Backing
{
    private const int BlockSize = 4096, Blocks = 65536;

    /// <summary>The file that an aio bdev needs, filled; null for the others.</summary>
    public static string? FileOf(string backend, BenchSettings settings)
    {
        string? folder = backend switch
        {
            "aio-tmpfs" => Directory.Exists("/dev/shm") ? "/dev/shm" : throw new BenchException("aio-tmpfs needs /dev/shm, which this machine does not have."),
            "aio-disk" => settings.Work,
            _ => null,
        };
        if (folder is null) return null;
        string path = Path.Combine(folder, $"{Path.GetFileName(settings.Work)}-{Path.GetFileName(settings.NewPath("aio"))}");
        using var file = File.Create(path, 1 << 20);
        var zeroes = new byte[1 << 20];
        for (int i = 0; i < (long)Blocks * BlockSize >> 20; i++) file.Write(zeroes);
        file.Flush(flushToDisk: backend == "aio-disk");
        return path;
    }

    /// <summary>The calls that make the bdev.</summary>
    public static JArray Calls(string backend, string name, string? file) => backend switch
    {
        "null" => [Call("bdev_null_create", new { name, num_blocks = 262144, block_size = BlockSize })],
        "malloc" => [Call("bdev_malloc_create", new { name, num_blocks = Blocks, block_size = BlockSize })],
        "passthru" =>
        [
            Call("bdev_malloc_create", new { name = name + "Base", num_blocks = Blocks, block_size = BlockSize }),
            Call("bdev_passthru_create", new { name, base_bdev_name = name + "Base" }),
        ],
        "aio-tmpfs" or "aio-disk" => [Call("bdev_aio_create", new { name, filename = file, block_size = BlockSize })],
        _ => throw new BenchException($"there is no backend '{backend}'"),
    };

    /// <summary>A configuration file's text.</summary>
    public static string Configuration(params (string Subsystem, JArray Calls)[] parts) => new JObject
    {
        ["subsystems"] = new JArray(parts.Select(part => new JObject { ["subsystem"] = part.Subsystem, ["config"] = part.Calls })),
    }.ToString();

    /// <summary>One call.</summary>
    public static JObject Call(string method, object parameters) => new() { ["method"] = method, ["params"] = JObject.FromObject(parameters) };
}
