using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.Host.Memory;

/// <summary>Sizes and counts of the iobuf pools; the defaults are SPDK's.</summary>
public sealed record IobufOptions
{
    /// <summary>Small buffers in all.</summary>
    public int SmallPoolCount { get; init; } = 8192;

    /// <summary>Large buffers in all.</summary>
    public int LargePoolCount { get; init; } = 1024;

    /// <summary>Bytes of a small buffer; a multiple of 4096.</summary>
    public uint SmallBufferSize { get; init; } = 8 * 1024;

    /// <summary>Bytes of a large buffer; a multiple of 4096, larger than a small one.</summary>
    public uint LargeBufferSize { get; init; } = 132 * 1024;

    /// <summary>Checks the values.</summary>
    /// <exception cref="SpindleException">EINVAL, naming the field.</exception>
    public void Validate()
    {
        if (SmallPoolCount is < 64 or > 1 << 22) throw new SpindleException(Errno.EINVAL, $"small_pool_count is {SmallPoolCount}; it must be 64 to {1 << 22}.");
        if (LargePoolCount is < 8 or > 1 << 20) throw new SpindleException(Errno.EINVAL, $"large_pool_count is {LargePoolCount}; it must be 8 to {1 << 20}.");
        if (SmallBufferSize < 4096 || SmallBufferSize % 4096 != 0 || SmallBufferSize > 1 << 20) throw new SpindleException(Errno.EINVAL, $"small_bufsize is {SmallBufferSize}; it must be a multiple of 4096, up to 1 MiB.");
        if (LargeBufferSize <= SmallBufferSize || LargeBufferSize % 4096 != 0 || LargeBufferSize > 1 << 26) throw new SpindleException(Errno.EINVAL, $"large_bufsize is {LargeBufferSize}; it must be a multiple of 4096, above small_bufsize, up to 64 MiB.");
    }
}

/// <summary>What one user of the pools did, for <c>iobuf_get_stats</c>.</summary>
/// <param name="Module">The user.</param>
/// <param name="SmallCache">Small buffers served from a thread's cache.</param>
/// <param name="SmallMain">Small buffers served from the shared pool.</param>
/// <param name="SmallRetry">Small requests that had to wait.</param>
/// <param name="LargeCache">Large buffers served from a thread's cache.</param>
/// <param name="LargeMain">Large buffers served from the shared pool.</param>
/// <param name="LargeRetry">Large requests that had to wait.</param>
public sealed record IobufStatistics(string Module, ulong SmallCache, ulong SmallMain, ulong SmallRetry, ulong LargeCache, ulong LargeMain, ulong LargeRetry);

/// <summary>The pools of a host. Memory is taken when the first channel is made and touched only when buffers are used.</summary>
public sealed class IobufPools : IIobuf, IDisposable
{
    private readonly IDmaMemory _memory;
    private readonly Lock _lock = new();
    private readonly List<IobufChannel> _channels = [];
    private readonly Dictionary<string, IobufStatistics> _ended = [];
    private IobufOptions _options;
    private IobufPool? _small;
    private IobufPool? _large;

    /// <param name="memory">Where the buffers come from.</param>
    /// <param name="options">Sizes.</param>
    public IobufPools(IDmaMemory memory, IobufOptions? options = null)
    {
        _memory = memory;
        _options = options ?? new IobufOptions();
        _options.Validate();
    }

    /// <inheritdoc/>
    public uint SmallBufferSize => _options.SmallBufferSize;

    /// <inheritdoc/>
    public uint LargeBufferSize => _options.LargeBufferSize;

    /// <summary>The options in force.</summary>
    public IobufOptions Options => _options;

    /// <summary>Changes the options, before the first channel is made.</summary>
    /// <exception cref="SpindleException">EINVAL; EBUSY: the pools are in use.</exception>
    public void Configure(IobufOptions options)
    {
        options.Validate();
        lock (_lock)
        {
            if (_small is not null) throw new SpindleException(Errno.EBUSY, "The iobuf pools are in use; set their options before the framework is initialized (--wait-for-rpc).");
            _options = options;
        }
    }

    /// <inheritdoc/>
    public IIobufChannel CreateChannel(string name, int smallCache = 64, int largeCache = 8)
    {
        lock (_lock)
        {
            _small ??= new IobufPool(_memory, _options.SmallBufferSize, _options.SmallPoolCount);
            _large ??= new IobufPool(_memory, _options.LargeBufferSize, _options.LargePoolCount);
            var channel = new IobufChannel(this, name, StorageThread.Required, _small, _large, smallCache, largeCache);
            _channels.Add(channel);
            return channel;
        }
    }

    internal void OnDisposed(IobufChannel channel)
    {
        lock (_lock)
        {
            _channels.Remove(channel);
            _ended[channel.Name] = Sum(channel.Name, [channel.Statistics, .. _ended.TryGetValue(channel.Name, out var earlier) ? [earlier] : Array.Empty<IobufStatistics>()]);
        }
    }

    /// <summary>Sums over all channels, living and ended, by user.</summary>
    public IReadOnlyList<IobufStatistics> Statistics
    {
        get
        {
            lock (_lock)
            {
                return [.. _channels.Select(c => c.Statistics).Concat(_ended.Values).GroupBy(s => s.Module).Select(g => Sum(g.Key, g)).OrderBy(s => s.Module, StringComparer.Ordinal)];
            }
        }
    }

    private static IobufStatistics Sum(string name, IEnumerable<IobufStatistics> parts) => parts.Aggregate(
        new IobufStatistics(name, 0, 0, 0, 0, 0, 0),
        (a, b) => new IobufStatistics(name, a.SmallCache + b.SmallCache, a.SmallMain + b.SmallMain, a.SmallRetry + b.SmallRetry,
            a.LargeCache + b.LargeCache, a.LargeMain + b.LargeMain, a.LargeRetry + b.LargeRetry));

    /// <summary>Buffers that are out or in caches, small and large; for leak checks.</summary>
    public (int Small, int Large) InUse => (_small?.InUse ?? 0, _large?.InUse ?? 0);

    /// <inheritdoc/>
    public void Dispose()
    {
        _small?.Dispose();
        _large?.Dispose();
    }
}
