using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Spindle.ContractTests.Blobstore;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Raid.Parity;

/// <summary>An array of level raid5f that SPDK v26.01 made: three disks of 32 MiB with strips of 64 KiB, 8 MiB of a pattern at the start and zeroes behind it. Every byte is right, with all
/// members and without any one.</summary>
public sealed class SpdkRaid5fTests(ContractHost host) : ParityArrayTest(host)
{
    private const ulong Blocks = 63488 * 2;

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Every_byte_is_right(int missing)
    {
        var disks = new MemoryDisk[3];
        for (int i = 0; i < 3; i++)
        {
            byte[] bytes = StoredImage.Embedded($"raid5f_{i + 1}.img.gz");
            disks[i] = new MemoryDisk(ContractHost.NewName(ModuleHarness.Examined), 512, (ulong)bytes.Length / 512) { Uuid = Guid.Parse($"00000000-0000-4000-8000-00000000000{i}") };
            disks[i].Restore(bytes);
            Track(disks[i].Name);
            await Host.RegisterAsync(disks[i]);
        }
        await Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());
        await Eventually.IsTrueAsync(() => Host.Registry.Find("R") is not null, "the array");
        Track("R");
        Assert.Equal(Guid.Parse("e67e6b68-a012-4095-a2f7-7703571a5e06"), Host.Registry.Find("R")!.Uuid);
        if (missing >= 0) await CallAsync("bdev_raid_remove_base_bdev", $$"""{"name":"{{disks[missing].Name}}"}""");
        var client = await OpenAsync("R");
        Assert.Equal(Blocks, client.Bdev.BlockCount);
        byte[] all = await client.ReadBytesAsync(0, Blocks);
        byte[] block = new byte[4096];
        for (int i = 0; i < all.Length / 4096; i++)
        {
            byte[] hash = i < 2048 ? SHA256.HashData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"raid:{i}"))) : new byte[32];
            for (int at = 0; at < 4096; at += 32) hash.CopyTo(block, at);
            Assert.True(all.AsSpan(i * 4096, 4096).SequenceEqual(block), $"4 KiB block {i}");
        }
        if (missing >= 0) return;
        // Its parity fits, by the sums that a scrub makes.
        await CallAsync("bdev_raid_scrub_start", """{"name":"R"}""");
        string integrity = "";
        for (int i = 0; i < 2000 && !integrity.Contains("finished", StringComparison.Ordinal); i++)
        {
            await Task.Delay(5, Cancel);
            integrity = await CallAsync("bdev_raid_get_integrity", """{"name":"R"}""");
        }
        Assert.Matches("\"mismatched_blocks\": ?0[,}]", integrity);
    }
}
