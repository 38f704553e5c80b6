using System.Diagnostics;
using System.Text;
using Spindle.Blobs;
using Spindle.Blobs.Format;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Blobstore;

/// <summary>
/// What this library wrote, loaded by SPDK itself. It runs only when asked for, with the folder of a built SPDK checkout (tag v26.01) in
/// <c>SPINDLE_PEER_SPDK</c>: nothing of SPDK's belongs to this project. <see cref="SpdkImageTests"/> reads what SPDK wrote, always.
/// </summary>
[Trait("Category", "Slow")]
public sealed class SpdkPeerTests(ContractHost host, ITestOutputHelper output) : StoreTest(host)
{
    private const int Size = 16 << 20, ClusterBytes = 65536;
    private static readonly Guid s_store = new("6e1cf7a1-2f0b-4c5f-9a65-6f5b0a11ee01");

    [Theory(Explicit = true)]
    [InlineData(4096, true)]
    [InlineData(4096, false)]
    [InlineData(512, true)]
    [InlineData(512, false)]
    public async Task Every_byte_is_read_by_SPDK(int block, bool clean)
    {
        string? spdk = Environment.GetEnvironmentVariable("SPINDLE_PEER_SPDK");
        if (string.IsNullOrEmpty(spdk)) Assert.Fail("Set SPINDLE_PEER_SPDK to the folder of a built SPDK checkout (git clone -b v26.01 https://github.com/spdk/spdk).");
        string folder = Directory.CreateTempSubdirectory("spindle-peer-").FullName;
        try
        {
            var (bytes, expected) = await WriteAsync((uint)block, clean);
            string file = Path.Combine(folder, "store");
            await File.WriteAllBytesAsync(file, bytes, Cancel);
            await File.WriteAllTextAsync(Path.Combine(folder, "config"), $$$"""
                {"subsystems":[{"subsystem":"bdev","config":[{"method":"bdev_aio_create","params":{"filename":"{{{file}}}","name":"aio0","block_size":{{{block}}} }},{"method":"bdev_wait_for_examine"}]}]}
                """, Cancel);
            foreach (var (name, content) in expected)
            {
                string to = Path.Combine(folder, name);
                await RunAsync(Path.Combine(spdk, "build/bin/spdk_dd"), $"--no-huge -s 1024 -m 0x1 --no-pci --json={folder}/config --ib=LS/{name} --of={to} --bs=4096");
                byte[] read = await File.ReadAllBytesAsync(to, Cancel);
                Assert.True(content.AsSpan().SequenceEqual(read), $"{name} is read otherwise by SPDK");
            }
            // And what SPDK left is read here.
            byte[] after = await File.ReadAllBytesAsync(file, Cancel);
            Assert.DoesNotContain(await BlobstoreCheck.RunAsync(new Spindle.Blobs.Images.MemoryStoreSource(after, (uint)block)), problem => problem.IsDamage);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task RunAsync(string program, string arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var texts = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(Cancel), process.StandardError.ReadToEndAsync(Cancel));
        await process.WaitForExitAsync(Cancel);
        if (process.ExitCode != 0) output.WriteLine(string.Concat(texts));
        Assert.Equal(0, process.ExitCode);
    }

    private async Task<(byte[] Bytes, Dictionary<string, byte[]> Expected)> WriteAsync(uint block, bool clean)
    {
        var disk = new PowerCutDisk(ContractHost.NewName("peer"), block, new byte[Size], writeCache: false);
        await Host.RegisterAsync(disk);
        Track(disk.Name);
        var open = await OpenStoreAsync(disk.Name, new BlobstoreOptions { ClusterSize = ClusterBytes, Type = Encoding.ASCII.GetBytes("LVOLSTORE") });
        var super = await Host.OnAppAsync(() => open.Store.CreateBlobAsync(new BlobOptions { Xattrs = Xattrs("LS", s_store) }));
        await Host.OnAppAsync(() => open.Store.SetSuperBlobAsync(super));
        var random = new Random(7);
        var shown = new Dictionary<string, string>();
        async Task<Blob> NewAsync(string name, uint clusters, bool thin, bool table) => await Host.OnAppAsync(() => open.Store.CreateBlobAsync(new BlobOptions
        {
            ClusterCount = clusters, Thin = thin, UseExtentTable = table, Xattrs = Xattrs(name, Guid.NewGuid()),
        }));
        async Task FillAsync(string name, Blob blob, int writes)
        {
            if (!shown.TryGetValue(name, out string? bdev)) shown[name] = bdev = await ShowAsync(blob);
            await using var client = await OpenAsync(bdev);
            for (int i = 0; i < writes; i++)
            {
                ulong at = (ulong)random.NextInt64((long)client.Bdev.BlockCount - 8);
                await client.WriteBytesAsync(at, RandomBytes(random, 8 * client.Bdev.BlockSize));
            }
        }
        var thick = await NewAsync("thick", 12, thin: false, table: true);
        await FillAsync("thick", thick, 30);
        var thin = await NewAsync("thin", 1200, thin: true, table: true);
        await FillAsync("thin", thin, 25);
        var runs = await NewAsync("runs", 20, thin: true, table: false);
        await FillAsync("runs", runs, 10);
        var gone = await NewAsync("gone", 4, thin: false, table: true);
        await Host.OnAppAsync(() => open.Store.DeleteBlobAsync(gone));
        var snapshot = await Host.OnAppAsync(() => open.Store.SnapshotAsync(thin, Xattrs("snap", Guid.NewGuid())));
        await FillAsync("thin", thin, 10);
        var clone = await Host.OnAppAsync(() => open.Store.CloneAsync(snapshot, Xattrs("clone", Guid.NewGuid())));
        await FillAsync("clone", clone, 10);
        var second = await Host.OnAppAsync(() => open.Store.SnapshotAsync(clone, Xattrs("snap2", Guid.NewGuid())));
        await FillAsync("clone", clone, 5);
        await Host.OnAppAsync(() => open.Store.DeleteBlobAsync(second));
        await using (var client = await OpenAsync(shown["runs"])) Assert.True((await client.UnmapAsync(0, 8 * ClusterBytes / client.Bdev.BlockSize)).IsSuccess);
        await Host.OnAppAsync(() => open.Store.SetReadOnlyAsync(thick));
        var expected = new Dictionary<string, byte[]>();
        foreach (var (name, blob) in new[] { ("thick", thick), ("thin", thin), ("runs", runs), ("snap", snapshot), ("clone", clone) })
        {
            if (!shown.ContainsKey(name)) shown[name] = await ShowAsync(blob);
            await using var client = await OpenAsync(shown[name], write: false);
            var content = new MemoryStream();
            ulong step = ClusterBytes / client.Bdev.BlockSize;
            for (ulong at = 0; at < client.Bdev.BlockCount; at += step) content.Write(await client.ReadBytesAsync(at, step));
            expected[name] = content.ToArray();
        }
        foreach (string bdev in shown.Values) await Host.UnregisterAsync(bdev);
        await CloseStoreAsync(open, clean);
        return (disk.Cut(disk.Moments, new Random(0)), expected);
    }

    private static BlobXattr[] Xattrs(string name, Guid uuid) => [Named(name), new("uuid", Encoding.ASCII.GetBytes(uuid.ToString("D") + '\0'))];
}
