using Spindle;
using Spindle.Testing;

namespace Acme.Fast.Tests;

public sealed class DiskTests : IAsyncLifetime
{
    private TestHost _host = null!;
    private TestModule _module = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await TestHost.StartAsync();
        _module = await _host.AddModuleAsync(new Module());
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopModulesAsync();
        await _host.DisposeAsync();
    }

    public static TheoryData<string> Rules => [.. BdevConformance.RuleIds];

    [Theory, MemberData(nameof(Rules))]
    public async Task It_conforms(string rule)
    {
        if (await new BdevConformance(_host, CreateAsync).RunAsync(rule) is { } reason) Assert.Skip(reason);
    }

    private async Task<BdevSubject> CreateAsync()
    {
        string name = TestHost.NewName("disk");
        await _module.CallAsync("acme_fast_create", $$"""{ "name": "{{name}}", "num_blocks": 2048 }""");
        return new BdevSubject(name) { DeleteAsync = () => _module.CallAsync("acme_fast_delete", $$"""{ "name": "{{name}}" }""") };
    }

    [Fact]
    public async Task A_disk_without_blocks_is_refused() =>
        Assert.Contains("num_blocks", (await Assert.ThrowsAsync<SpindleException>(() => _module.CallAsync("acme_fast_create", """{ "name": "x", "num_blocks": 0 }"""))).Message);
}
