using Spindle.Bdev.Aio;
using Spindle.Bdev.Crypto;
using Spindle.Bdev.Delay;
using Spindle.Bdev.Error;
using Spindle.Bdev.Gpt;
using Spindle.Bdev.Lvol;
using Spindle.Bdev.Malloc;
using Spindle.Bdev.Null;
using Spindle.Bdev.Passthru;
using Spindle.Bdev.Split;
using Spindle.Bdev.ZoneBlock;
using Spindle.Modules;

namespace Spindle.ContractTests.Harness;

/// <summary>The modules under test, in the test's own load context, so that their RPC classes can be called.</summary>
public sealed class ModuleHarness
{
    /// <summary>How the names of bdevs begin that are examined whatever they are.</summary>
    public const string Examined = "examined";

    private ContractHost _host = null!;

    public MallocRpc Malloc { get; private set; } = null!;
    public NullRpc Null { get; private set; } = null!;
    public AioRpc Aio { get; private set; } = null!;
    public PassthruRpc Passthru { get; private set; } = null!;
    public TestModule Crypto { get; private set; } = null!;
    public TestModule Gpt { get; private set; } = null!;
    public TestModule Lvol { get; private set; } = null!;
    public TestModule Split { get; private set; } = null!;
    public TestModule Delay { get; private set; } = null!;
    public TestModule Error { get; private set; } = null!;
    public TestModule ZoneBlock { get; private set; } = null!;
    public PassthruModule PassthruModule { get; } = new();

    public static async Task<ModuleHarness> StartAsync(ContractHost host)
    {
        var harness = new ModuleHarness { _host = host };
        // Partitions are looked for on files, and where a test asks for it by the name: most tests count the I/O of their disks, or keep it for ever.
        await host.OnAppAsync(() => host.Bdevs.Examiner.MayRead = static bdev => bdev.ProductName == "AIO disk" || bdev.Name.StartsWith(Examined, StringComparison.Ordinal));
        harness.Malloc = (await host.AddModuleAsync(new MallocModule())).Service<MallocRpc>();
        harness.Null = (await host.AddModuleAsync(new NullModule())).Service<NullRpc>();
        harness.Aio = (await host.AddModuleAsync(new AioModule())).Service<AioRpc>();
        harness.Passthru = (await host.AddModuleAsync(harness.PassthruModule)).Service<PassthruRpc>();
        harness.Crypto = await host.AddModuleAsync(new CryptoModule());
        harness.Gpt = await host.AddModuleAsync(new GptModule());
        harness.Lvol = await host.AddModuleAsync(new LvolModule());
        harness.Split = await host.AddModuleAsync(new SplitModule());
        harness.Delay = await host.AddModuleAsync(new DelayModule());
        harness.Error = await host.AddModuleAsync(new ErrorModule());
        harness.ZoneBlock = await host.AddModuleAsync(new ZoneBlockModule());
        return harness;
    }

    /// <summary>What a module saves now: each call as its method, and the names and values of its parameters in order.</summary>
    public async Task<IReadOnlyList<string>> SavedAsync(TestModule module)
    {
        var writer = new SavedCalls();
        await _host.OnAppAsync(() => module.Module.WriteConfig(writer));
        return writer.Calls;
    }
}
