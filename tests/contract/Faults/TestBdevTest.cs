using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.Host.Bdevs;

namespace Spindle.ContractTests.Faults;

/// <summary>A test with bdevs whose behaviour it chooses.</summary>
public abstract class TestBdevTest(ContractHost host) : BdevTest(host)
{
    protected async Task<TestBdev> RegisterAsync(Func<string, TestBdev>? make = null)
    {
        string name = Track(ContractHost.NewName("test"));
        var bdev = make is null ? new TestBdev(name) : make(name);
        await Host.OnAppAsync(() => Host.Registry.Register(bdev));
        return bdev;
    }

    protected Task<BdevStatistics> StatisticsAsync(TestBdev bdev) => Host.OnAppAsync(() => Host.Bdevs.GetStatisticsAsync(bdev));

    /// <summary>Writes and reads back on several threads, and compares.</summary>
    protected async Task ExerciseAsync(TestBdev bdev, int rounds = 20, int depth = 16, int workers = 4)
    {
        var clients = new List<BdevClient>();
        for (int worker = 0; worker < workers; worker++) clients.Add(await OpenAsync(bdev.Name, worker: worker));
        ulong each = bdev.BlockCount / (ulong)(workers * depth);
        await Task.WhenAll(clients.SelectMany((client, worker) => Enumerable.Range(0, depth).Select(async slot =>
        {
            var random = new Random(worker * 100 + slot);
            ulong offset = (ulong)(worker * depth + slot) * each;
            for (int round = 0; round < rounds; round++)
            {
                byte[] data = RandomBytes(random, each * bdev.BlockSize);
                await client.WriteBytesAsync(offset, data);
                Assert.Equal(data, await client.ReadBytesAsync(offset, each));
            }
        }))).WaitAsync(TimeSpan.FromSeconds(60), Cancel);
    }
}
