using Spindle.Bdev.Aio;
using Spindle.Bdev.Malloc;
using Spindle.Bdev.Null;
using Spindle.Bdev.Passthru;
using Spindle.Modules;

namespace Spindle.ContractTests.Harness;

/// <summary>The modules under test, in the test's own load context, so that their RPC classes can be called.</summary>
public sealed class ModuleHarness
{
    private ContractHost _host = null!;

    public MallocRpc Malloc { get; private set; } = null!;
    public NullRpc Null { get; private set; } = null!;
    public AioRpc Aio { get; private set; } = null!;
    public PassthruRpc Passthru { get; private set; } = null!;
    public PassthruModule PassthruModule { get; } = new();

    public static async Task<ModuleHarness> StartAsync(ContractHost host)
    {
        var harness = new ModuleHarness { _host = host };
        harness.Malloc = (await host.AddModuleAsync(new MallocModule())).Service<MallocRpc>();
        harness.Null = (await host.AddModuleAsync(new NullModule())).Service<NullRpc>();
        harness.Aio = (await host.AddModuleAsync(new AioModule())).Service<AioRpc>();
        harness.Passthru = (await host.AddModuleAsync(harness.PassthruModule)).Service<PassthruRpc>();
        return harness;
    }
}
