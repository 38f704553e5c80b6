using Spindle.Bdev.Aio;
using Spindle.Bdev.Malloc;
using Spindle.Bdev.Null;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Suite;

/// <summary>Malloc with the smallest blocks.</summary>
public sealed class Malloc_of_512_byte_blocks(ContractHost host) : BdevContract(host)
{
    protected override Task<BdevSubject> CreateAsync() => Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 512 });
}

/// <summary>Malloc with pages, split at a boundary.</summary>
public sealed class Malloc_of_4096_byte_blocks_with_a_boundary(ContractHost host) : BdevContract(host)
{
    protected override Task<BdevSubject> CreateAsync() => Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 4096, OptimalIoBoundary = 8 });
}

/// <summary>Malloc whose blocks are no power of two.</summary>
public sealed class Malloc_with_interleaved_metadata(ContractHost host) : BdevContract(host)
{
    protected override Task<BdevSubject> CreateAsync() =>
        Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 512, MdSize = 8, MdInterleave = true });
}

/// <summary>Malloc that makes protection information for those who bring none.</summary>
public sealed class Malloc_with_separate_protection_information(ContractHost host) : BdevContract(host)
{
    protected override Task<BdevSubject> CreateAsync() =>
        Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 4096, MdSize = 16, DifType = 1 });
}

/// <summary>Null.</summary>
public sealed class Null(ContractHost host) : BdevContract(host)
{
    protected override Task<BdevSubject> CreateAsync() => Subjects.NullAsync(Host, new NullCreateParameters { NumBlocks = Blocks, BlockSize = 512 });
}

/// <summary>Aio on a file in memory, deallocating.</summary>
public sealed class Aio_on_tmpfs_with_fallocate(ContractHost host) : BdevContract(host)
{
    protected override Task<BdevSubject> CreateAsync()
    {
        Assert.SkipUnless(Directory.Exists("/dev/shm"), "there is no /dev/shm");
        return Subjects.AioAsync(Host, new AioCreateParameters { Filename = NewFile("/dev/shm", (long)Blocks * 512), BlockSize = 512, Fallocate = true });
    }
}

/// <summary>Aio on a file on disk, with direct I/O where the filesystem allows.</summary>
public sealed class Aio_on_disk(ContractHost host) : BdevContract(host)
{
    protected override Task<BdevSubject> CreateAsync() =>
        Subjects.AioAsync(Host, new AioCreateParameters { Filename = NewFile(AppContext.BaseDirectory, (long)Blocks * 4096), BlockSize = 4096 });
}

/// <summary>Aio on a file on disk, deallocating.</summary>
public sealed class Aio_on_disk_with_fallocate(ContractHost host) : BdevContract(host)
{
    protected override Task<BdevSubject> CreateAsync() => Subjects.AioAsync(Host,
        new AioCreateParameters { Filename = NewFile(AppContext.BaseDirectory, (long)Blocks * 4096), BlockSize = 4096, Fallocate = true });
}

/// <summary>Interleaved protection information of type 1, hidden.</summary>
public sealed class Malloc_with_hidden_interleaved_metadata(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() =>
        await Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 512, MdSize = 8, MdInterleave = true, DifType = 1 }) with { HideMetadata = true };
}

/// <summary>Separate metadata with a 64-bit guard at its head, hidden, in pieces.</summary>
public sealed class Malloc_with_hidden_separate_metadata(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await Subjects.MallocAsync(Host, new()
    {
        NumBlocks = Blocks, BlockSize = 4096, MdSize = 64, DifType = 2, DifIsHeadOfMd = true, DifPiFormat = 2, OptimalIoBoundary = 8,
    }) with { HideMetadata = true };
}

/// <summary>Passthru on malloc.</summary>
public sealed class Passthru_on_malloc(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() =>
        await Subjects.PassthruAsync(Host, await Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 512 }));
}

/// <summary>Three passthrus on null.</summary>
public sealed class Three_passthrus_on_null(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() =>
        await Subjects.PassthruAsync(Host, await Subjects.NullAsync(Host, new NullCreateParameters { NumBlocks = Blocks, BlockSize = 4096 }), layers: 3);
}

/// <summary>Passthru on aio.</summary>
public sealed class Passthru_on_aio(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await Subjects.PassthruAsync(Host, await Subjects.AioAsync(Host,
        new AioCreateParameters { Filename = NewFile(AppContext.BaseDirectory, (long)Blocks * 4096), BlockSize = 4096, Fallocate = true }));
}

/// <summary>The second of three parts of malloc.</summary>
public sealed class Split_on_malloc(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() =>
        await Subjects.SplitAsync(Host, await Subjects.MallocAsync(Host, new() { NumBlocks = (3 * Blocks) + 2, BlockSize = 512 }), count: 3, part: 1);
}

/// <summary>The second of three parts of malloc with block addresses in its protection information, hidden.</summary>
public sealed class Split_with_hidden_metadata(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await Subjects.SplitAsync(Host, await Subjects.MallocAsync(Host, new()
    {
        NumBlocks = (3 * Blocks) + 2, BlockSize = 512, MdSize = 8, MdInterleave = true, DifType = 1,
    }) with { HideMetadata = true }, count: 3, part: 1);
}

/// <summary>Delay on malloc, so short that the load tests stay quick.</summary>
public sealed class Delay_on_malloc(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() =>
        await Subjects.DelayAsync(Host, await Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 512 }), average: 20, p99: 100);
}

/// <summary>Error on malloc with nothing injected.</summary>
public sealed class Error_on_malloc(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() =>
        await Subjects.ErrorAsync(Host, await Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 4096 }));
}

/// <summary>Crypto on malloc, AES-256.</summary>
public sealed class Crypto_on_malloc(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() =>
        await Subjects.CryptoAsync(Host, await Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 512 }));
}

/// <summary>Two crypto bdevs, AES-128, on aio.</summary>
public sealed class Two_cryptos_on_aio(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await Subjects.CryptoAsync(Host, await Subjects.CryptoAsync(Host, await Subjects.AioAsync(Host,
        new AioCreateParameters { Filename = NewFile(AppContext.BaseDirectory, (long)Blocks * 4096), BlockSize = 4096, Fallocate = true }), keySize: 16), keySize: 16);
}

/// <summary>A partition of a disk with small blocks.</summary>
public sealed class Gpt_on_aio(ContractHost host) : BdevContract(host)
{
    protected override Task<BdevSubject> CreateAsync() =>
        Subjects.GptAsync(Host, new AioCreateParameters { Filename = NewFile(AppContext.BaseDirectory, 0), BlockSize = 512 });
}

/// <summary>A partition of a disk with blocks of 4096 bytes, deallocating.</summary>
public sealed class Gpt_on_aio_of_4096_byte_blocks(ContractHost host) : BdevContract(host)
{
    protected override Task<BdevSubject> CreateAsync() =>
        Subjects.GptAsync(Host, new AioCreateParameters { Filename = NewFile(AppContext.BaseDirectory, 0), BlockSize = 4096, Fallocate = true });
}

/// <summary>Zones on malloc, as large as they are far apart.</summary>
public sealed class Zones_on_malloc(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() =>
        await Subjects.ZoneBlockAsync(Host, await Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 512 }), zoneCapacity: 256);
}

/// <summary>Zones with gaps between them, and protection information in the blocks.</summary>
public sealed class Zones_on_malloc_with_protection_information(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() =>
        await Subjects.ZoneBlockAsync(Host, await Subjects.MallocAsync(Host, new() { NumBlocks = Blocks, BlockSize = 4096, MdSize = 16, DifType = 1 }), zoneCapacity: 100);
}

/// <summary>Passthru, delay and error on zones on aio: what shows the zones of its base.</summary>
public sealed class Zones_on_aio_below_a_stack(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync()
    {
        var zones = await Subjects.ZoneBlockAsync(Host, await Subjects.AioAsync(Host,
            new AioCreateParameters { Filename = NewFile(AppContext.BaseDirectory, (long)Blocks * 4096), BlockSize = 4096, Fallocate = true }), zoneCapacity: 200);
        return await Subjects.ErrorAsync(Host, await Subjects.DelayAsync(Host, await Subjects.PassthruAsync(Host, zones), average: 5, p99: 50));
    }
}

/// <summary>A logical volume that has all its clusters.</summary>
public sealed class Thick_lvol(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await Subjects.LvolAsync(Host, await Subjects.MallocAsync(Host, new() { NumBlocks = 4 * Blocks, BlockSize = 512 }), thin: false);
}

/// <summary>A logical volume that gets its clusters with the first write, on a file that comes back after a restart.</summary>
public sealed class Thin_lvol_on_aio(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() => await Subjects.LvolAsync(Host,
        await Subjects.AioAsync(Host, new AioCreateParameters { Filename = NewFile(AppContext.BaseDirectory, (long)Blocks * 4 * 512), BlockSize = 512, Fallocate = true }), thin: true);
}

/// <summary>A clone of a snapshot of a logical volume.</summary>
public sealed class Cloned_lvol(ContractHost host) : BdevContract(host)
{
    protected override async Task<BdevSubject> CreateAsync() =>
        await Subjects.LvolAsync(Host, await Subjects.MallocAsync(Host, new() { NumBlocks = 4 * Blocks, BlockSize = 512 }), thin: true, clone: true);
}
