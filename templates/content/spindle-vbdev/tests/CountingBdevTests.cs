using Spindle.Testing;

namespace Acme.Fast.Tests;

public sealed class CountingBdevTests : IAsyncLifetime
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
        string below = TestHost.NewName("below"), name = TestHost.NewName("counting");
        var disk = new MemoryDisk(below, writeCache: true);
        await _host.RegisterAsync(disk);
        Task<string> CreateItAsync() => _module.CallAsync("acme_fast_create", $$"""{ "name": "{{name}}", "base_bdev_name": "{{below}}" }""");
        await CreateItAsync();
        return new BdevSubject(name)
        {
            Below = [below],
            DeleteAsync = () => _module.CallAsync("acme_fast_delete", $$"""{ "name": "{{name}}" }"""),
            CutPowerAsync = async () =>
            {
                await _host.UnregisterAsync(below); // takes the bdev on it along
                await _host.RegisterAsync(disk = disk.CutPower(new Random(1)));
                await CreateItAsync();
            },
        };
    }

    [Fact]
    public async Task It_counts()
    {
        var subject = await CreateAsync();
        await using var client = await _host.OpenAsync(subject.Name);
        for (int i = 0; i < 5; i++) await client.ReadBytesAsync(0, 1);
        Assert.Equal(5ul, ((CountingBdev)client.Bdev).Count);
    }

    [Fact]
    public async Task It_goes_with_its_base()
    {
        var subject = await CreateAsync();
        await _host.UnregisterAsync(subject.Below[0]);
        Assert.Null(_host.Registry.Find(subject.Name));
    }
}
