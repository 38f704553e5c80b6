using System.Text.Json;
using Newtonsoft.Json.Linq;
using Spindle.Host.Faults;
using Spindle.Host.Hosting;
using Spindle.Host.Manifests;
using Spindle.Host.Modules;
using Spindle.UnitTests.Modules;

namespace Spindle.PluginTests.Support;

/// <summary>A host with the faulty fixture plugin and a sound bdev beside it.</summary>
public sealed class FaultyHost : IAsyncDisposable
{
    private static readonly string s_source = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "plugins", "Faulty.cs"));
    private static readonly Lazy<PluginFolder> s_folder = new(Compile);
    private readonly ModulesOnDisk _modules = new ModulesOnDisk().Add("bdev-malloc", "0.1.0");

    /// <summary>The modules folder with the fixture.</summary>
    public static string Folder => s_folder.Value.Root;

    public LogList Log { get; } = new();
    public SpindleHost Host { get; private set; } = null!;

    // Compiled once for all tests; each host loads it into a context of its own.
    private static PluginFolder Compile()
    {
        var folder = new PluginFolder();
        folder.Add("bdev-faulty", s_source);
        folder.Add("bdev-faulty", "#define THROWS_IN_CONSTRUCTOR\n" + s_source, version: "1.0.1-constructor");
        return folder;
    }

    public static async Task<FaultyHost> StartAsync(FaultOptions? faults = null, int cores = 2)
    {
        UncaughtExceptions.Contain();
        var self = new FaultyHost();
        self.Host = await SpindleHost.StartAsync(new SpindleHostOptions
        {
            ModuleFolders = [s_folder.Value.Root, self._modules.Root], Modules = [new AppModule("bdev-malloc")], Logging = self.Log, CoreCount = cores,
            Iobuf = new() { SmallPoolCount = 512, LargePoolCount = 64 }, Faults = faults ?? new FaultOptions(), StopTimeout = TimeSpan.FromSeconds(5),
        });
        await self.Host.CallAsync("bdev_malloc_create", """{ "name": "Other0", "num_blocks": 65536, "block_size": 512 }""");
        return self;
    }

    public Task<string> LoadAsync(string what = "", string version = "1.0.0") =>
        Host.CallAsync("module_load", new JObject { ["name"] = "bdev-faulty", ["version"] = version, ["settings"] = $"{{\"do\":\"{what}\"}}" }.ToString());

    public Task<string> ArmAsync(string what) => Host.CallAsync("faulty_arm", $$"""{ "what": "{{what}}" }""");

    public async Task<JsonElement> HealthAsync() => JsonDocument.Parse(await Host.CallAsync("spindle_get_health")).RootElement;

    public async Task<JsonElement> ModuleAsync(string name = "bdev-faulty") =>
        (await HealthAsync()).GetProperty("modules").EnumerateArray().Single(m => m.GetProperty("name").GetString() == name);

    /// <summary>Waits until the health reply is as wanted.</summary>
    public async Task<JsonElement> UntilAsync(Func<JsonElement, bool> condition, string what)
    {
        JsonElement health = default;
        for (int i = 0; i < 500; i++)
        {
            health = await HealthAsync();
            if (condition(health)) return health;
            await Task.Delay(20);
        }
        throw new Xunit.Sdk.XunitException($"Never: {what}. Last: {health}\n{string.Join("\n", Log.Lines)}");
    }

    public Task UntilFaultyAsync() => UntilAsync(h => h.GetProperty("modules").EnumerateArray().Any(m =>
        m.GetProperty("name").GetString() == "bdev-faulty" && m.GetProperty("state").GetString() == "faulty"), "bdev-faulty is faulty");

    public async Task UntilGoneAsync(string bdev)
    {
        for (int i = 0; i < 500; i++)
        {
            if (Host.BdevLayer.Find(bdev) is null) return;
            await Task.Delay(20);
        }
        Assert.Fail($"Bdev {bdev} is still there.\n{string.Join("\n", Log.Lines)}");
    }

    /// <summary>Reads one block and returns how it ended.</summary>
    public async Task<Spindle.Bdevs.BdevIoResult> ReadAsync(string bdev)
    {
        using var memory = Host.Memory.Allocate(4096);
        var done = new TaskCompletionSource<Spindle.Bdevs.BdevIoResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        Spindle.Bdevs.IBdevDescriptor disk = null!;
        Spindle.Bdevs.IBdevChannel channel = null!;
        await Host.InvokeAsync(() =>
        {
            disk = Host.Bdevs.Open(bdev, true, static (_, _, _) => { });
            channel = disk.GetChannel();
            int error = channel.Read([memory.Slice(0, 512)], 0, 1, static (object? s, in Spindle.Bdevs.BdevIoResult r) =>
                ((TaskCompletionSource<Spindle.Bdevs.BdevIoResult>)s!).TrySetResult(r), done);
            if (error != 0) done.TrySetResult(Spindle.Bdevs.BdevIoResult.FromErrno(-error));
            return Task.CompletedTask;
        });
        try
        {
            return await done.Task.WaitAsync(TimeSpan.FromSeconds(20));
        }
        finally
        {
            await Host.InvokeAsync(() =>
            {
                channel.Put();
                disk.Close();
                return Task.CompletedTask;
            });
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        _modules.Dispose();
    }
}
