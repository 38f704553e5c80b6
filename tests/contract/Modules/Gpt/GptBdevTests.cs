using System.Diagnostics;
using Spindle.Bdevs;
using Spindle.ContractTests.Harness;
using Spindle.ContractTests.Suite;
using Spindle.Host.Bdevs;

namespace Spindle.ContractTests.Modules.Gpt;

/// <summary>Partitions of disks that bdev-aio serves.</summary>
public sealed class GptBdevTests(ContractHost host) : BdevTest(host)
{
    private static string Folder => Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();

    private async Task<BdevSubject> ServeAsync(string file, uint blockSize = 512, string? name = null)
    {
        var disk = await Subjects.AioAsync(Host, new() { Name = Track(name ?? ContractHost.NewName("disk")), Filename = file, BlockSize = blockSize });
        await Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());
        return disk;
    }

    private Task<BdevSubject> ServeAsync(GptImage image, uint blockSize = 512, string? name = null)
    {
        string file = NewFile(Folder, 0);
        image.WriteTo(file);
        return ServeAsync(file, blockSize, name);
    }

    private IEnumerable<string> PartsOf(string disk) => Host.Registry.All.Where(b => b.BaseBdevNames.Contains(disk)).Select(b => b.Name);

    [Theory]
    [InlineData(512u)]
    [InlineData(4096u)]
    public async Task Partitions_appear_with_their_disk_and_lie_where_the_table_says(uint blockSize)
    {
        Guid first = Guid.NewGuid(), second = Guid.NewGuid();
        var image = new GptImage((int)blockSize, 4096, new GptEntry(GptImage.Linux, 100, 199), new GptEntry(GptImage.Spdk, 1000, 1099, "data disk", first),
            new GptEntry(GptImage.SpdkOld, 2000, 2099, "", second));
        var disk = await ServeAsync(image, blockSize);
        Assert.Equal([disk.Name + "p2", disk.Name + "p3"], PartsOf(disk.Name));
        var bdev = Host.Registry.Find(disk.Name + "p2")!;
        Assert.Equal((100ul, first, "GPT Disk"), (bdev.BlockCount, bdev.Uuid, bdev.ProductName));
        Assert.Equal((99ul, second), (Host.Registry.Find(disk.Name + "p3")!.BlockCount, Host.Registry.Find(disk.Name + "p3")!.Uuid));
        Assert.Same(bdev, Host.Registry.Find(first.ToString()));
        var text = new TextWriterOfRpc();
        bdev.DumpInfo(text);
        Assert.Equal($"gpt={{ base_bdev={disk.Name} offset_blocks=1000 partition_type_guid={GptImage.Spdk} unique_partition_guid={first} partition_name=data disk }}", text.ToString());
        Assert.Equal(BdevClaimType.ExclusiveWrite, BdevRegistry.GetClaim(Host.Registry.Find(disk.Name)!).Type);
        Assert.Empty(await Host.Modules.SavedAsync(Host.Modules.Gpt));

        var client = await OpenAsync(bdev.Name);
        byte[] data = RandomBytes(new Random(3), 100 * blockSize);
        await client.WriteBytesAsync(0, data);
        using var beyond = new TestBuffer((int)blockSize);
        Assert.Equal(-Errno.EINVAL, (await client.WriteAsync(beyond, 100, 1)).Error);
        var whole = await OpenAsync(disk.Name, write: false);
        Assert.Equal(data, await whole.ReadBytesAsync(1000, 100));
        Assert.Equal(-1, (await whole.ReadBytesAsync(1100, 900)).AsSpan().IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public async Task The_backup_serves_when_the_primary_table_is_broken()
    {
        var image = new GptImage(512, 4096, new GptEntry(GptImage.Spdk, 1000, 1099));
        image.Area[512 + 16] ^= 1;
        var disk = await ServeAsync(image);
        Assert.Equal([disk.Name + "p1"], PartsOf(disk.Name));
    }

    [Fact]
    public async Task Disks_without_a_table_of_spdks_partitions_stay_free()
    {
        var broken = new GptImage(512, 4096, new GptEntry(GptImage.Spdk, 1000, 1099));
        broken.Area[512] = broken.Backup[^512] = 0;
        string tiny = NewFile(Folder, 512), small = NewFile(Folder, 20 * 512);
        foreach (var disk in new[]
        {
            await ServeAsync(broken), await ServeAsync(new GptImage(512, 4096, new GptEntry(GptImage.Linux, 1000, 1099))), await ServeAsync(new GptImage(512, 4096)),
            await ServeAsync(tiny), await ServeAsync(small),
        })
        {
            Assert.Empty(PartsOf(disk.Name));
            Assert.Equal(BdevClaimType.None, BdevRegistry.GetClaim(Host.Registry.Find(disk.Name)!).Type);
        }
    }

    [Fact]
    public async Task A_copy_of_a_disk_shows_no_partition_whose_identity_is_taken()
    {
        var image = new GptImage(512, 4096, new GptEntry(GptImage.Spdk, 1000, 1099, "", Guid.NewGuid()), new GptEntry(GptImage.Spdk, 2000, 2099, "", Guid.Empty));
        var first = await ServeAsync(image);
        var second = await ServeAsync(image);
        Assert.Equal([first.Name + "p1", first.Name + "p2"], PartsOf(first.Name));
        // Without an identity in the table it follows from the disk's, which is another.
        Assert.Equal([second.Name + "p2"], PartsOf(second.Name));
    }

    [Fact]
    public async Task Partitions_go_with_their_disk_under_load_and_come_back_as_the_new_table_says()
    {
        string file = NewFile(Folder, 0), name = ContractHost.NewName("disk");
        new GptImage(512, 4096, new GptEntry(GptImage.Spdk, 1000, 1099), new GptEntry(GptImage.Spdk, 2000, 2099)).WriteTo(file);
        var disk = await ServeAsync(file, name: name);
        var clients = new[] { await OpenAsync(name + "p1", closeWhenRemoved: true), await OpenAsync(name + "p2", worker: 1, closeWhenRemoved: true) };
        using var buffer = new TestBuffer(512);
        var load = clients.Select(client => Task.Run(async () =>
        {
            while ((await client.ReadAsync(buffer, 7, 1)).IsSuccess) { }
        })).ToArray();
        await disk.DeleteAsync!().WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        await Task.WhenAll(load).WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        Assert.Empty(PartsOf(name));
        new GptImage(512, 4096, null, new GptEntry(GptImage.Spdk, 3000, 3009)).WriteTo(file);
        await ServeAsync(file, name: name);
        Assert.Equal([name + "p2"], PartsOf(name));
        Assert.Equal(10ul, Host.Registry.Find(name + "p2")!.BlockCount);
    }

    [Fact]
    public async Task A_disk_that_goes_while_its_table_is_read_leaves_nothing()
    {
        string file = NewFile(Folder, 0);
        new GptImage(512, 4096, new GptEntry(GptImage.Spdk, 1000, 1099)).WriteTo(file);
        for (int i = 0; i < 20; i++)
        {
            var disk = await Subjects.AioAsync(Host, new() { Name = Track(ContractHost.NewName("disk")), Filename = file, BlockSize = 512 });
            await disk.DeleteAsync!().WaitAsync(TimeSpan.FromSeconds(20), Cancel);
            await Host.OnAppAsync(() => Host.Registry.WaitForExamineAsync());
            Assert.Null(Host.Registry.Find(disk.Name));
            Assert.Null(Host.Registry.Find(disk.Name + "p1"));
        }
    }

    [Fact]
    public async Task A_table_that_sfdisk_made_is_read()
    {
        string? sfdisk = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Concat(["/sbin", "/usr/sbin"]).Select(folder => Path.Combine(folder, "sfdisk")).FirstOrDefault(File.Exists);
        Assert.SkipWhen(sfdisk is null, "there is no sfdisk (Debian's package fdisk; ./build.sh deps)");
        Guid first = Guid.NewGuid(), third = Guid.NewGuid();
        string file = NewFile(Folder, 16 << 20);
        using (var tool = Process.Start(new ProcessStartInfo(sfdisk!, ["--quiet", "--no-reread", "--no-tell-kernel", file])
        {
            RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true,
        })!)
        {
            await tool.StandardInput.WriteAsync($"""
                label: gpt
                start=2048, size=4096, type={GptImage.Spdk}, uuid={first}, name="for the targét"
                size=2048, type={GptImage.Linux}
                size=1000, type={GptImage.SpdkOld}, uuid={third}

                """);
            tool.StandardInput.Close();
            var errors = tool.StandardError.ReadToEndAsync(Cancel);
            await tool.StandardOutput.ReadToEndAsync(Cancel);
            await tool.WaitForExitAsync(Cancel).WaitAsync(TimeSpan.FromSeconds(60), Cancel);
            Assert.True(tool.ExitCode == 0, await errors);
        }
        var disk = await ServeAsync(file);
        Assert.Equal([disk.Name + "p1", disk.Name + "p3"], PartsOf(disk.Name));
        Bdevs.Bdev one = Host.Registry.Find(disk.Name + "p1")!, three = Host.Registry.Find(disk.Name + "p3")!;
        Assert.Equal((4096ul, first, 999ul, third), (one.BlockCount, one.Uuid, three.BlockCount, three.Uuid));
        var text = new TextWriterOfRpc();
        one.DumpInfo(text);
        Assert.Contains("offset_blocks=2048", text.ToString());
        Assert.Contains("partition_name=for the targét", text.ToString());
    }

    [Fact]
    public async Task A_disk_that_does_not_answer_can_be_removed_while_it_is_looked_at()
    {
        string name = Track(ContractHost.NewName(ModuleHarness.Examined));
        var reading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var disk = new Faults.TestBdev(name)
        {
            OnSubmit = (self, io) =>
            {
                if (io.Type == BdevIoType.Read)
                {
                    reading.TrySetResult();
                    return;
                }
                if (io.Type == BdevIoType.Abort) io.AbortTarget!.Complete(io.AbortGeneration, BdevIoStatus.Aborted);
                self.CarryOut(io);
            },
        };
        disk.Types.Add(BdevIoType.Abort);
        await Host.OnAppAsync(() => Host.Registry.Register(disk));
        await reading.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        await Host.OnAppAsync(() => Host.Registry.UnregisterAsync(disk)).WaitAsync(TimeSpan.FromSeconds(20), Cancel);
        Assert.Null(Host.Registry.Find(name));
    }
}
