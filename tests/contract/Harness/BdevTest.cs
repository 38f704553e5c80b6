using Spindle.Bdevs;

namespace Spindle.ContractTests.Harness;

/// <summary>A test on the shared host. At its end nothing may be left: no bdev, descriptor, channel or buffer, and nothing forbidden may have happened.</summary>
public abstract class BdevTest(ContractHost host) : IAsyncLifetime
{
    private readonly List<string> _names = [];
    private readonly List<string> _files = [];
    private readonly List<BdevClient> _clients = [];

    protected ContractHost Host { get; } = host;

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Faults charged to modules are what this test is about.</summary>
    protected bool ExpectsFaults { get; set; }

    public ValueTask InitializeAsync()
    {
        Host.TakeFaults();
        Host.TakeThreadFaults();
        Host.TakeViolations();
        return ValueTask.CompletedTask;
    }

    /// <summary>Has a bdev taken away at the end of the test, the latest first.</summary>
    protected string Track(string name)
    {
        _names.Add(name);
        return name;
    }

    protected async Task<BdevClient> OpenAsync(string name, bool write = true, int worker = 0, bool closeWhenRemoved = false, bool hideMetadata = false)
    {
        var client = await BdevClient.OpenAsync(Host, name, new BdevOpenOptions { Write = write, HideMetadata = hideMetadata }, worker, closeWhenRemoved);
        _clients.Add(client);
        return client;
    }

    /// <summary>A file of a size, deleted at the end.</summary>
    protected string NewFile(string folder, long length)
    {
        string path = Path.Combine(folder, $"spindle-contract-{Environment.ProcessId}-{Guid.NewGuid():N}");
        using (var file = File.Create(path)) file.SetLength(length);
        _files.Add(path);
        return path;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients) await client.DisposeAsync();
        var left = new List<string>();
        foreach (string name in Enumerable.Reverse(_names))
        {
            if (Host.Registry.Find(name) is not { } bdev) continue;
            await Host.UnregisterAsync(name).WaitAsync(TimeSpan.FromSeconds(30));
            if (Host.Registry.Find(name) is not null) left.Add(bdev.Name);
        }
        foreach (string file in _files) File.Delete(file);
        Assert.Empty(left);
        Assert.Empty(Host.TakeViolations());
        if (!ExpectsFaults)
        {
            Assert.Empty(Host.TakeFaults());
            Assert.Empty(Host.TakeThreadFaults());
        }
        // Channels end by a message; their buffers go back with them.
        for (int i = 0; i < 200 && Host.Iobuf.InUse != (0, 0); i++) await Task.Delay(5);
        Assert.Equal((0, 0), Host.Iobuf.InUse);
        GC.SuppressFinalize(this);
    }

    protected Task<Bdevs.Bdev> FindAsync(string name) => Task.FromResult(Host.Registry.Find(name) ?? throw new InvalidOperationException($"no bdev {name}"));

    protected static byte[] RandomBytes(Random random, ulong count)
    {
        byte[] bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
