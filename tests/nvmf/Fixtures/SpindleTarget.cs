using System.Text.Json;
using Spindle.InteropTests.Processes;

namespace Spindle.NvmfTests.Fixtures;

/// <summary>The built command line as a process of its own.</summary>
public sealed class SpindleTarget : TargetFixture
{
    private readonly SpindleProcess process;

    private SpindleTarget(SpindleProcess process) => this.process = process;

    public override bool IsRunning => !process.HasExited;

    protected override string Output => process.Output;

    public static async Task<SpindleTarget> StartAsync(TargetOptions? options = null)
    {
        SpindleTarget target = new(await SpindleProcess.StartAsync(new SpindleOptions()));
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

    public override Task<JsonElement> RpcAsync(string method, object? parameters = null) => process.CallAsync(method, parameters).WaitAsync(TimeSpan.FromSeconds(10));

    protected override ValueTask StopAsync() => process.DisposeAsync();
}
