[assembly: AssemblyFixture(typeof(Spindle.ContractTests.Harness.ContractHost))]
[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Spindle.ContractTests.Harness;

/// <summary>The host that all tests share; they give back what they take.</summary>
public sealed class ContractHost() : TestHost(new TestHostOptions { Ring = System.Environment.GetEnvironmentVariable("SPINDLE_TEST_RING") ?? "auto" }), IAsyncLifetime
{
    public ModuleHarness Modules { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        await StartAsync();
        Modules = await ModuleHarness.StartAsync(this);
    }
}
