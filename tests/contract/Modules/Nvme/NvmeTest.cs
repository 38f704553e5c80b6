using System.Text.Json;
using Spindle.Bdev.Nvme;
using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Nvme;

/// <summary>A host with the driver, a disk that Spindle's target serves in another one, and a network in between. At the end nothing may be left.</summary>
public abstract class NvmeTest : IAsyncLifetime
{
    protected const int BlockSize = 512;
    protected const ulong Blocks = 4096;

    private readonly List<PduProxy> _proxies = [];
    private readonly List<BdevClient> _clients = [];

    protected TestHost Host { get; private set; } = null!;
    protected TestModule Nvme { get; private set; } = null!;
    protected ServedDisk Disk { get; private set; } = null!;

    /// <summary>Members of nvmf_create_subsystem for the disk.</summary>
    protected virtual string Subsystem => "";

    public async ValueTask InitializeAsync()
    {
        Host = await TestHost.StartAsync(new TestHostOptions { Cores = 1, Workers = 2, Ring = Environment.GetEnvironmentVariable("SPINDLE_TEST_RING") ?? "auto" });
        Nvme = await Host.AddModuleAsync(new NvmeModule());
        Disk = await (await ServedDisks.SharedAsync()).AddAsync($$""","num_blocks":{{Blocks}},"block_size":{{BlockSize}}""", Subsystem);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients) await client.DisposeAsync();
        await Host.StopModulesAsync();
        await Host.DisposeAsync();
        foreach (var proxy in _proxies) await proxy.DisposeAsync();
        await Disk.RemoveAsync();
        GC.SuppressFinalize(this);
    }

    protected PduProxy NewProxy(int? port = null)
    {
        var proxy = new PduProxy(port ?? Disk.Port);
        _proxies.Add(proxy);
        return proxy;
    }

    protected Task<string> AttachAsync(PduProxy? proxy = null, string more = "", string name = "Nvme0") =>
        Nvme.CallAsync("bdev_nvme_attach_controller", Disk.Attach(name, more, proxy?.Port));

    protected async Task<BdevClient> OpenAsync(string name = "Nvme0n1", int worker = 0)
    {
        var client = await Host.OpenAsync(name, worker: worker);
        _clients.Add(client);
        return client;
    }

    /// <summary>What a method without parameters, or with some, replies.</summary>
    protected async Task<JsonElement> CallAsync(string method, string? parameters = null) => JsonDocument.Parse(await Nvme.CallAsync(method, parameters)).RootElement;

    protected async Task<string> StateAsync(int controller = 0) =>
        (await CallAsync("bdev_nvme_get_controllers"))[0].GetProperty("ctrlrs")[controller].GetProperty("state").GetString()!;

    protected Task StateBecomesAsync(string state, int controller = 0, double seconds = 20) => BecomesAsync(async () => await StateAsync(controller) == state, $"state {state}", seconds);

    protected static async Task BecomesAsync(Func<Task<bool>> condition, string what, double seconds = 20)
    {
        var until = DateTime.UtcNow.AddSeconds(seconds);
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < until, $"{what} did not come about in {seconds} s");
            await Task.Delay(20);
        }
    }
}

/// <summary>Writes blocks over and over and reads them back, each worker its own; any error, and any block that is not what was acknowledged last, is a failure.</summary>
internal sealed class VerifiedLoad(BdevClient client, ulong first, ulong blocks, int seed)
{
    private readonly Random _random = new(seed);
    private volatile bool _stop;

    public int Writes { get; private set; }
    public int Reads { get; private set; }
    public string? Failure { get; private set; }

    public void Stop() => _stop = true;

    public async Task RunAsync()
    {
        var model = new byte[blocks][];
        while (!_stop && Failure is null)
        {
            ulong at = (ulong)_random.NextInt64((long)blocks);
            if (model[at] is null || _random.Next(2) == 0)
            {
                byte[] data = new byte[client.BlockSize];
                _random.NextBytes(data);
                using var buffer = new TestBuffer(data.Length);
                buffer.Set(data);
                var outcome = await client.WriteAsync(buffer, first + at, 1);
                if (!outcome.IsSuccess) Failure = $"write {Writes}: {outcome}";
                model[at] = data;
                Writes++;
            }
            else
            {
                using var buffer = new TestBuffer((int)client.BlockSize);
                var outcome = await client.ReadAsync(buffer, first + at, 1);
                if (!outcome.IsSuccess) Failure = $"read {Reads}: {outcome}";
                else if (!buffer.ToArray().AsSpan().SequenceEqual(model[at])) Failure = $"block {at} is not what was written last";
                Reads++;
            }
        }
    }
}
