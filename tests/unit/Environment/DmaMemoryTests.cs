using Spindle.Host.Environments;
using Spindle.Host.Environments.Linux.Dma;
using Spindle.Host.Environments.Portable;
using Spindle.Memory;

namespace Spindle.UnitTests.Environment;

[Collection("huge pages")]
public sealed unsafe class DmaMemoryTests
{
    public static TheoryData<string> Kinds => ["linux", "portable"];

    private static IDmaMemory Make(string kind)
    {
        if (kind == "linux" && !OperatingSystem.IsLinux()) Assert.Skip("needs Linux");
        return kind == "linux" ? new LinuxDmaMemory(useHugePages: false, new FallbackLog()) : new PortableDmaMemory();
    }

    [Theory, MemberData(nameof(Kinds))]
    public void MemoryIsZeroedAndAligned(string kind)
    {
        var memory = Make(kind);
        foreach (var size in new nuint[] { 1, 63, 64, 4096, 5000, 1 << 20, (1 << 20) + 1, 5 << 20 })
        {
            foreach (var alignment in new nuint[] { 1, 512, 4096, 1 << 16, 1 << 21, 1 << 23 })
            {
                for (var round = 0; round < 2; round++)
                {
                    using var buffer = memory.Allocate(size, alignment);
                    Assert.Equal(size, buffer.Size);
                    Assert.Equal((nuint)0, (nuint)buffer.Address % alignment);
                    Assert.True(buffer.Region > 0);
                    var span = new Span<byte>(buffer.Address, (int)size);
                    Assert.Equal(-1, span.IndexOfAnyExcept((byte)0));
                    // What the first round leaves, the second must not see.
                    span.Fill(0xFF);
                }
            }
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void BadRequestsAreRefused(string kind)
    {
        var memory = Make(kind);
        Assert.Equal(Errno.EINVAL, Assert.Throws<SpindleException>(() => memory.Allocate(0)).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<SpindleException>(() => memory.Allocate(10, 3)).Errno);
        Assert.Equal(Errno.EINVAL, Assert.Throws<SpindleException>(() => memory.Allocate(10, 0)).Errno);
        Assert.Equal(Errno.ENOMEM, Assert.Throws<SpindleException>(() => memory.Allocate((nuint)1 << 60)).Errno);
    }

    /// <summary>Random allocations and frees against a list of what is out: no two overlap, contents stay, regions match, the books balance.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(20261123)]
    public void LivePiecesNeverOverlap(int seed)
    {
        using var memory = (LinuxDmaMemory)Make("linux");
        var random = new Random(seed);
        var live = new List<(DmaBuffer Buffer, byte Mark)>();
        for (var step = 0; step < 3000; step++)
        {
            if (live.Count > 0 && random.Next(100) < 48)
            {
                var index = random.Next(live.Count);
                var (buffer, mark) = live[index];
                Assert.True(new Span<byte>(buffer.Address, (int)buffer.Size).IndexOfAnyExcept(mark) < 0, $"seed {seed}, step {step}: overwritten");
                buffer.Dispose();
                buffer.Dispose();
                live.RemoveAt(index);
            }
            else
            {
                var size = (nuint)random.NextInt64(1, 1L << random.Next(1, 18));
                var buffer = memory.Allocate(size, (nuint)1 << random.Next(0, 14));
                var mark = (byte)random.Next(1, 256);
                new Span<byte>(buffer.Address, (int)size).Fill(mark);
                Assert.True(memory.TryGetRegion(buffer.Region, out var address, out var length));
                Assert.True((nuint)buffer.Address >= address && (nuint)buffer.Address + size <= address + length);
                live.Add((buffer, mark));
            }
            Assert.Equal(live.Sum(l => (long)l.Buffer.Size), memory.AllocatedBytes);
        }
        Assert.True(memory.PeakBytes >= memory.AllocatedBytes);
        foreach (var (buffer, _) in live) buffer.Dispose();
        Assert.Equal(0, memory.AllocatedBytes);
        Assert.Equal(0, memory.MappedBytes);
        Assert.Equal(0, memory.LockedBytes);
    }

    [Fact]
    public void LargeMemoryIsNotTouchedUntilUsed()
    {
        using var memory = (LinuxDmaMemory)Make("linux");
        var before = ResidentBytes();
        using var buffer = memory.Allocate((nuint)4 << 30);
        Assert.True(ResidentBytes() - before < 512 << 20, "4 GiB were touched");
    }

    [Fact]
    public void HugePagesAreTakenWhenReserved()
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("needs Linux");
        const string setting = "/proc/sys/vm/nr_hugepages";
        var before = File.ReadAllText(setting).Trim();
        try
        {
            File.WriteAllText(setting, "" + (int.Parse(before) + 8));
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or IOException)
        {
            Assert.Skip("huge pages cannot be reserved here: run as root");
        }
        try
        {
            if (HugePages.Read() is not { Free: >= 4, SizeKiB: 2048 }) Assert.Skip("the kernel found no free huge pages of 2 MiB");
            var fallbacks = new FallbackLog();
            using var memory = new LinuxDmaMemory(useHugePages: true, fallbacks);
            var buffer = memory.Allocate(5 << 20);
            if (memory.HugePageBytes == 0 && HugePages.Read().Free < 3) Assert.Skip("another process took the huge pages just reserved");
            Assert.Equal(6 << 20, memory.HugePageBytes);
            Assert.Empty(fallbacks.Sentences);
            new Span<byte>(buffer.Address, 5 << 20).Fill(1);
            // More than is reserved: ordinary pages, and said so.
            using var large = memory.Allocate((nuint)1 << 40 >> 6);
            Assert.Contains(fallbacks.Sentences, s => s.Contains("huge pages"));
            Assert.Equal(6 << 20, memory.HugePageBytes);
            buffer.Dispose();
            Assert.Equal(0, memory.HugePageBytes);
        }
        finally
        {
            File.WriteAllText(setting, before);
        }
    }

    private static long ResidentBytes() => long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1]) * System.Environment.SystemPageSize;
}
