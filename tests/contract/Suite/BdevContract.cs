using Spindle.Bdevs;
using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Suite;

/// <summary>What every bdev has to do, whatever is behind it: the conformance suite that vendors run, and what the bdev layer refuses on its
/// behalf. A subclass makes the bdev.</summary>
public abstract class BdevContract(ContractHost host) : BdevTest(host)
{
    protected const ulong Blocks = 2048;

    private BdevSubject? _subject;

    /// <summary>Makes a bdev of <see cref="Blocks"/> blocks.</summary>
    protected abstract Task<BdevSubject> CreateAsync();

    protected async Task<BdevSubject> SubjectAsync()
    {
        if (_subject is not null) return _subject;
        var subject = await CreateAsync();
        foreach (string below in subject.Below) Track(below);
        Track(subject.Name);
        return _subject = subject;
    }

    private async Task<(BdevSubject, BdevClient)> StartAsync(int worker = 0)
    {
        var subject = await SubjectAsync();
        return (subject, await OpenAsync(subject.Name, worker: worker, hideMetadata: subject.HideMetadata));
    }

    private static void AssertSucceeded(Outcome outcome, string what) => Assert.True(outcome.IsSuccess, $"{what}: {outcome}");

    private static void AssertZero(byte[] bytes, string what) => Assert.True(bytes.AsSpan().IndexOfAnyExcept((byte)0) < 0, $"{what}: not all zero");

    private static void AssertSame(byte[] expected, byte[] actual, string what)
    {
        int same = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(same == expected.Length && same == actual.Length, $"{what}: differs at byte {same} of {expected.Length}");
    }

    public static IEnumerable<TheoryDataRow<string>> Rules => BdevConformance.RuleIds.Select(rule => new TheoryDataRow<string>(rule));

    [Theory]
    [MemberData(nameof(Rules))]
    public async Task It_conforms(string rule)
    {
        // 'Blocks' is what the subjects are made with; the suite itself takes any size.
        if (await new BdevConformance(Host, CreateAsync).RunAsync(rule) is { } reason) Assert.Skip(reason);
    }

    [Fact]
    public async Task What_it_does_not_support_is_refused()
    {
        var (_, client) = await StartAsync();
        if (!client.Bdev.Supports(BdevIoType.Unmap)) Assert.Equal(-Errno.ENOTSUP, (await client.UnmapAsync(0, 1)).Error);
        if (!client.Bdev.Supports(BdevIoType.Flush)) Assert.Equal(-Errno.ENOTSUP, (await client.FlushAsync(0, Blocks)).Error);
    }

    [Fact]
    public async Task A_copy_onto_itself_is_refused()
    {
        var (_, client) = await StartAsync();
        Assert.Equal(-Errno.EINVAL, (await client.CopyAsync(10, 15, 8)).Error);
        Assert.Equal(-Errno.EINVAL, (await client.CopyAsync(15, 10, 8)).Error);
        Assert.Equal(-Errno.EINVAL, (await client.CopyAsync(15, 15, 1)).Error);
    }

    [Fact]
    public async Task While_it_is_being_removed_it_takes_nothing_new()
    {
        var (subject, client) = await StartAsync();
        using var buffer = new TestBuffer((int)client.BlockSize);
        var removed = subject.DeleteAsync!();
        await Eventually.IsTrueAsync(() => client.Events.Contains(BdevEventType.Remove), "the remove event");
        Assert.Equal(-Errno.ENODEV, (await client.ReadAsync(buffer, 0, 1)).Error);
        Assert.Equal(-Errno.ENODEV, (await client.WriteZeroesAsync(0, 1)).Error);
        Assert.Equal(-Errno.ENODEV, (await client.ResetAsync()).Error);
        var refused = await Assert.ThrowsAsync<SpindleException>(() => OpenAsync(subject.Name, worker: 1));
        Assert.Equal(Errno.ENODEV, refused.Errno);
        Assert.False(removed.IsCompleted);
        await client.DisposeAsync();
        await removed.WaitAsync(TimeSpan.FromSeconds(30), Cancel);
    }

    [Fact]
    public async Task It_is_found_by_name_and_uuid_and_has_its_size()
    {
        var subject = await SubjectAsync();
        var bdev = await FindAsync(subject.Name);
        Assert.Equal(Blocks, bdev.BlockCount);
        Assert.NotEqual(Guid.Empty, bdev.Uuid);
        Assert.Same(bdev, Host.Registry.Find(bdev.Uuid.ToString()));
        Assert.Same(bdev, Host.Registry.Find(bdev.Uuid.ToString().ToUpperInvariant()));
        Assert.Contains(bdev, Host.Registry.All);
    }

    public static TheoryData<ulong, ulong> OutOfBounds => new()
    {
        { Blocks, 1 }, { Blocks - 1, 2 }, { 0, Blocks + 1 }, { Blocks + 1, 1 }, { 0, 0 }, { Blocks, 0 },
        { ulong.MaxValue, 1 }, { ulong.MaxValue - 1, 2 }, { ulong.MaxValue, ulong.MaxValue }, { 1, ulong.MaxValue }, { 2, ulong.MaxValue - 1 },
        { 1UL << 63, 1UL << 63 }, { ulong.MaxValue / 512, 1 }, { 0, ulong.MaxValue / 512 + 1 },
    };

    [Theory]
    [MemberData(nameof(OutOfBounds))]
    public async Task A_range_outside_is_refused(ulong offset, ulong blocks)
    {
        var (subject, client) = await StartAsync();
        // The length fits what the count is in 32 bits, so that only the range can be what is wrong.
        using var buffer = new TestBuffer((int)(uint)Math.Min(blocks, 4) * (int)client.BlockSize);
        foreach (var (type, outcome) in new (string, Task<Outcome>)[]
        {
            ("read", client.ReadAsync(buffer, offset, blocks)),
            ("write", client.WriteAsync(buffer, offset, blocks)),
            ("compare", client.CompareAsync(buffer, offset, blocks)),
            ("compare-and-write", client.CompareAndWriteAsync(buffer, buffer, offset, blocks)),
            ("write zeroes", client.WriteZeroesAsync(offset, blocks)),
            ("copy to", client.CopyAsync(offset, 0, blocks)),
            ("copy from", client.CopyAsync(0, offset, blocks)),
        }) Assert.True((await outcome).Error == -Errno.EINVAL, $"{type}: {await outcome}");
        if (client.Bdev.Supports(BdevIoType.Unmap)) Assert.Equal(-Errno.EINVAL, (await client.UnmapAsync(offset, blocks)).Error);
        if (client.Bdev.Supports(BdevIoType.Flush)) Assert.Equal(-Errno.EINVAL, (await client.FlushAsync(offset, blocks)).Error);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task Vectors_of_another_length_than_the_range_are_refused(int difference)
    {
        var (_, client) = await StartAsync();
        using var buffer = new TestBuffer((int)client.BlockSize * 2 + difference);
        Assert.Equal(-Errno.EINVAL, (await client.ReadAsync(buffer, 0, 2)).Error);
        Assert.Equal(-Errno.EINVAL, (await client.WriteAsync(buffer, 0, 2)).Error);
        Assert.Equal(-Errno.EINVAL, (await client.CompareAsync(buffer, 0, 2)).Error);
    }

    [Fact]
    public async Task Metadata_is_refused_where_there_is_none_of_its_own()
    {
        var (_, client) = await StartAsync();
        Assert.SkipWhen(client.Descriptor.MetadataSize > 0 && !client.Bdev.MetadataInterleaved, "it has separate metadata");
        using var buffer = new TestBuffer((int)client.BlockSize);
        using var metadata = new TestBuffer(128);
        var outcome = await client.SubmitAsync((c, done, state) => c.Read(buffer.Vectors, 0, 1, done, state, metadata.Vectors[0].Address));
        Assert.Equal(-Errno.EINVAL, outcome.Error);
    }

    [Fact]
    public async Task Who_opened_it_for_reading_cannot_change_it()
    {
        var subject = await SubjectAsync();
        var client = await OpenAsync(subject.Name, write: false, hideMetadata: subject.HideMetadata);
        using var buffer = new TestBuffer((int)client.BlockSize);
        Assert.Equal(-Errno.EBADF, (await client.WriteAsync(buffer, 0, 1)).Error);
        Assert.Equal(-Errno.EBADF, (await client.WriteZeroesAsync(0, 1)).Error);
        Assert.Equal(-Errno.EBADF, (await client.UnmapAsync(0, 1)).Error);
        Assert.Equal(-Errno.EBADF, (await client.CompareAndWriteAsync(buffer, buffer, 0, 1)).Error);
        Assert.Equal(-Errno.EBADF, (await client.CopyAsync(0, 1, 1)).Error);
        AssertSucceeded(await client.ReadAsync(buffer, 0, 1), "read");
    }
}
