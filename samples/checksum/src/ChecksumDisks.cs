using Microsoft.Extensions.Logging;
using Spindle;
using Spindle.Bdevs;
using Spindle.Modules;
using Spindle.Threading;

namespace Acme.Checksum;

/// <summary>Makes checksum disks and brings them up. On the app thread.</summary>
public sealed class ChecksumDisks(IModuleContext context)
{
    private readonly ILogger _log = context.Logging.CreateLogger("disk");

    /// <summary>What happens to the base happens to the disk on it.</summary>
    private sealed class Upper(IBdevRegistry bdevs)
    {
        public ChecksumBdev? Disk { get; set; }

        public bool IsGone { get; private set; }

        public void OnBaseEvent(BdevEventType type)
        {
            // A base that grows does not make the disk larger: its checksums have a fixed place.
            if (type != BdevEventType.Remove) return;
            IsGone = true;
            if (Disk is { } disk) _ = RemoveAsync(disk);
        }

        public async Task RemoveAsync(ChecksumBdev disk)
        {
            try
            {
                await bdevs.UnregisterAsync(disk);
            }
            catch (SpindleException)
            {
                // It is on its way out already.
            }
        }
    }

    public async Task<string> CreateAsync(string baseName, string name, bool rebuild)
    {
        if (context.Bdevs.Find(name) is not null) throw new SpindleException(Errno.EEXIST, $"name: there is a bdev '{name}'; give another.");
        var (lower, upper) = Open(baseName, write: true);
        try
        {
            context.Bdevs.Claim(lower, BdevClaimType.ExclusiveWrite);
            Layout layout;
            using (var disk = new BaseDisk(lower, context.Memory))
            {
                await disk.ReadAsync(0, 1);
                var old = Layout.Read(disk.Data[..(int)disk.BlockSize], lower.Bdev, out string? problem);
                if ((old is not null || problem is not null) && !rebuild)
                    throw new SpindleException(Errno.EEXIST, $"base_bdev_name: '{baseName}' holds a checksum disk{(old is not null ? $", '{old.Name}'" : "")}, which comes up by itself{(problem is not null ? $" but for this: {problem}" : "")}. "
                        + "To take its data as it is for correct, give rebuild; to start anew, overwrite its first block.");
                if (old is null && rebuild) throw new SpindleException(Errno.EINVAL, $"rebuild: '{baseName}' holds no checksum disk{(problem is not null ? $" that can be used: {problem}" : "")}; leave it out to make a new one.");
                layout = Layout.For(lower.Bdev, name, old?.Uuid ?? Guid.NewGuid());
                if (old is not null && (old.DataBlocks, old.FirstDataBlock) != (layout.DataBlocks, layout.FirstDataBlock)) throw new SpindleException(Errno.EINVAL, $"rebuild: '{baseName}' has grown since; its checksum disk keeps its old size and comes up by itself.");
                await FormatAsync(disk, layout);
            }
            await BringUpAsync(lower, upper, layout);
            return name;
        }
        catch
        {
            lower.Close();
            throw;
        }
    }

    /// <summary>Marks every region, so that all checksums are made when the disk comes up, and only then writes the superblock.</summary>
    private static async Task FormatAsync(BaseDisk disk, Layout layout)
    {
        int block = (int)layout.BlockSize;
        disk.Data[..block].Fill(0xFF);
        Layout.Seal(disk.Data[..block]);
        await disk.WriteAsync(Layout.IntentBlock, 1);
        await disk.FlushAsync();
        layout.Write(disk.Data[..block]);
        await disk.WriteAsync(0, 1);
        await disk.FlushAsync();
    }

    public async Task ExamineAsync(Bdev bdev)
    {
        if (bdev.MetadataSize != 0 || bdev.BlockSize is < 512 or > 65536 || bdev.BlockCount < 16) return;
        var (lower, upper) = Open(bdev.Name, write: false);
        try
        {
            Layout? layout;
            string? problem;
            using (var disk = new BaseDisk(lower, context.Memory))
            {
                await disk.ReadAsync(0, 1);
                layout = Layout.Read(disk.Data[..(int)disk.BlockSize], bdev, out problem);
            }
            if (layout is not null)
            {
                context.Bdevs.Claim(lower, BdevClaimType.ExclusiveWrite);
                await BringUpAsync(lower, upper, layout);
                return;
            }
            if (problem is not null) _log.LogError("the checksum disk on '{Base}' does not come up: {Problem}", bdev.Name, problem);
            lower.Close();
        }
        catch (SpindleException e)
        {
            lower.Close();
            _log.LogError("the checksum disk on '{Base}' does not come up: {Problem}", bdev.Name, e.Message);
        }
    }

    private (IBdevDescriptor Lower, Upper Upper) Open(string name, bool write)
    {
        var upper = new Upper(context.Bdevs);
        return (context.Bdevs.Open(name, write, static (type, _, state) => ((Upper)state!).OnBaseEvent(type), upper), upper);
    }

    /// <summary>Reads the checksums, makes those of marked regions anew, and registers the disk. The descriptor is the disk's from then on.</summary>
    private async Task BringUpAsync(IBdevDescriptor lower, Upper upper, Layout layout)
    {
        var table = new ChecksumTable(layout);
        var unclean = new BitSet(layout.Regions);
        using (var disk = new BaseDisk(lower, context.Memory))
        {
            await ReadIntentAsync(disk, layout, unclean);
            await ReadGroupsAsync(disk, layout, table, unclean);
            for (int region = unclean.Next(0); region >= 0; region = region + 1 < unclean.Count ? unclean.Next(region + 1) : -1) await RebuildAsync(disk, layout, table, region);
        }
        if (upper.IsGone) throw new SpindleException(Errno.ENODEV, $"'{lower.Bdev.Name}' was removed meanwhile.");
        var errors = new ErrorLog(layout.Name, context, _log);
        var engine = await StartAsync(lower, layout, table, unclean, errors);
        var bdev = new ChecksumBdev(lower, engine, errors, context.Memory, _log);
        try
        {
            context.Bdevs.Register(bdev);
        }
        catch
        {
            await engine.CloseAsync();
            throw;
        }
        upper.Disk = bdev;
        if (upper.IsGone) await upper.RemoveAsync(bdev);
    }

    private async Task<ChecksumEngine> StartAsync(IBdevDescriptor lower, Layout layout, ChecksumTable table, BitSet unclean, ErrorLog errors)
    {
        IStorageThread thread = context.Threads.CreateThread($"checksum_{layout.Name}");
        try
        {
            return await ChecksumEngine.StartAsync(lower, layout, table, unclean, thread, context.Memory, errors);
        }
        catch
        {
            await thread.ExitAsync();
            throw;
        }
    }

    private async Task ReadIntentAsync(BaseDisk disk, Layout layout, BitSet unclean)
    {
        await disk.ReadAsync(Layout.IntentBlock, 1);
        var block = disk.Data[..(int)layout.BlockSize];
        if (Layout.IsSealed(block)) unclean.Read(block);
        else
        {
            _log.LogWarning("{Disk}: its intent block is damaged; all checksums are made anew", layout.Name);
            unclean.AddAll();
        }
    }

    private static async Task ReadGroupsAsync(BaseDisk disk, Layout layout, ChecksumTable table, BitSet unclean)
    {
        for (int group = 0; group < layout.Groups;)
        {
            int count = (int)Math.Min((ulong)(layout.Groups - group), disk.MaxBlocks);
            await disk.ReadAsync(Layout.FirstGroupBlock + (ulong)group, (ulong)count);
            for (int i = 0; i < count; i++, group++)
                // One that is torn belongs to a region that was being written to.
                if (!table.ReadGroup(group, disk.Data.Slice(i * (int)layout.BlockSize, (int)layout.BlockSize)) && !unclean.Has(group / layout.GroupsPerRegion))
                    throw new SpindleException(Errno.EIO, $"Block {Layout.FirstGroupBlock + (ulong)group} of the base, with the checksums of the blocks {(ulong)group * layout.PerGroup} to "
                        + $"{Math.Min((ulong)(group + 1) * layout.PerGroup, layout.DataBlocks) - 1} of '{layout.Name}', is damaged; acme_checksum_create with rebuild takes the data as it is for correct.");
        }
    }

    private static async Task RebuildAsync(BaseDisk disk, Layout layout, ChecksumTable table, int region)
    {
        ulong end = Math.Min((ulong)(region + 1) * layout.BlocksPerRegion, layout.DataBlocks);
        for (ulong block = (ulong)region * layout.BlocksPerRegion; block < end;)
        {
            ulong count = Math.Min(end - block, disk.MaxBlocks);
            await disk.ReadAsync(layout.FirstDataBlock + block, count);
            for (ulong i = 0; i < count; i++, block++) table.Set(block, Crc32C.Of(disk.Data.Slice((int)i * (int)layout.BlockSize, (int)layout.BlockSize)));
        }
    }
}
