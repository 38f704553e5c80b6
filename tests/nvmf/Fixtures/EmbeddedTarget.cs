using System.Text.Json;
using Spindle.Host.Hosting;
using Spindle.InteropTests.Processes;

namespace Spindle.NvmfTests.Fixtures;

/// <summary>The host as a library inside the test process, for a debugger: set SPINDLE_EMBEDDED_TARGET=1.</summary>
public sealed class EmbeddedTarget : TargetFixture
{
    private readonly SpindleHost host;

    private EmbeddedTarget(SpindleHost host) => this.host = host;

    public static bool IsWanted => Environment.GetEnvironmentVariable("SPINDLE_EMBEDDED_TARGET") == "1";

    public override bool IsRunning => true;

    protected override string Output => "(embedded)";

    public static async Task<EmbeddedTarget> StartAsync(TargetOptions? options = null)
    {
        EmbeddedTarget target = new(await SpindleHost.StartAsync(new SpindleHostOptions
        {
            ModuleFolders = [Path.Combine(Repository.Artifacts, "modules")],
            Modules = [new("bdev-malloc"), new("bdev-null"), new("frontend-nvmf")],
        }));
        try
        {
            await target.ConfigureAsync(options ?? new TargetOptions());
            return target;
        }
        catch
        {
            await target.DisposeAsync();
            throw;
        }
    }

    public override async Task<JsonElement> RpcAsync(string method, object? parameters = null)
    {
        string result = await host.CallAsync(method, parameters is null ? null : JsonSerializer.Serialize(parameters)).WaitAsync(TimeSpan.FromSeconds(10));
        return JsonDocument.Parse(result).RootElement;
    }

    protected override async ValueTask StopAsync() => await host.DisposeAsync();
}
