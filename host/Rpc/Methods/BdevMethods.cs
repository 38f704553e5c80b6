using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>Bdevs of all kinds.</summary>
internal sealed class BdevMethods(BdevRegistry registry, ILogger<BdevMethods> logger)
{
    [RpcMethod("bdev_get_bdevs", Summary = "Describes all bdevs, or one; waits for that one if asked to.")]
    public async Task<IReadOnlyList<BdevInfo>> GetBdevsAsync(GetBdevsParameters parameters, CancellationToken cancellationToken)
    {
        if (parameters.Name is null)
        {
            return [.. registry.All.Select(b => new BdevInfo(b, logger))];
        }
        var bdev = registry.Find(parameters.Name) ?? await WaitForAsync(parameters.Name, parameters.Timeout, cancellationToken);
        return [new BdevInfo(bdev, logger)];
    }

    async Task<Bdev> WaitForAsync(string name, ulong milliseconds, CancellationToken cancellationToken)
    {
        var found = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        // The source holds no bdev: it would keep its module's code.
        void OnRegistered(Bdev _)
        {
            if (registry.Find(name) is not null)
            {
                found.TrySetResult(true);
            }
        }
        registry.Registered += OnRegistered;
        try
        {
            if (milliseconds > 0)
            {
                await found.Task.WaitAsync(TimeSpan.FromMilliseconds(Math.Min(milliseconds, int.MaxValue)), cancellationToken);
            }
        }
        catch (TimeoutException)
        {
            // Said below.
        }
        finally
        {
            registry.Registered -= OnRegistered;
        }
        return Find(registry, name);
    }

    internal static Bdev Find(BdevRegistry registry, string name) =>
        registry.Find(name) ?? throw new SpindleException(Errno.ENODEV, $"there is no bdev '{name}'; bdev_get_bdevs lists them.");

    [RpcMethod("bdev_examine", Summary = "Has modules look at a bdev, now or when it comes, with automatic examination off.", ParameterErrorCode = RpcErrorCode.InvalidParams)]
    public void Examine(ExamineParameters parameters) => registry.Examiner.Request(parameters.Name);

    [RpcMethod("bdev_wait_for_examine", Summary = "Answers when all examinations that have begun are over.", ParameterErrorText = "bdev_wait_for_examine requires no parameters")]
    public Task WaitForExamineAsync() => registry.Examiner.WaitAsync();

    [RpcMethod("bdev_set_options", Phase = RpcPhase.Startup, Summary = "Sets the options of the bdev layer.",
        ParameterErrorCode = RpcErrorCode.InvalidParams, ParameterErrorText = "Invalid parameters")]
    public void SetOptions(BdevOptionsParameters parameters)
    {
        var options = registry.Options;
        options = options with
        {
            IoPoolSize = parameters.BdevIoPoolSize ?? options.IoPoolSize,
            IoCacheSize = parameters.BdevIoCacheSize ?? options.IoCacheSize,
            AutoExamine = parameters.BdevAutoExamine ?? options.AutoExamine,
            ExamineDeny = parameters.ExamineDeny ?? options.ExamineDeny,
            IobufSmallCacheSize = parameters.IobufSmallCacheSize ?? options.IobufSmallCacheSize,
            IobufLargeCacheSize = parameters.IobufLargeCacheSize ?? options.IobufLargeCacheSize,
        };
        // SPDK's rule, which has each thread's cache filled from the pool.
        var least = (long)options.IoCacheSize * (registry.Threads.Cores.Count + 1);
        if (options.IoPoolSize < 1 || options.IoCacheSize < 0 || options.IoPoolSize < least)
        {
            throw new RpcException(RpcErrorCode.InvalidParams,
                $"Pool size {options.IoPoolSize} too small for cache size {options.IoCacheSize}: bdev_io_pool_size must be at least {Math.Max(1, least)} with {registry.Threads.Cores.Count} reactors");
        }
        if (options.IobufSmallCacheSize < 0 || options.IobufLargeCacheSize < 0)
        {
            throw new RpcException(RpcErrorCode.InvalidParams, "Invalid parameters: iobuf_small_cache_size and iobuf_large_cache_size must not be negative");
        }
        if (options.ExamineDeny.Any(string.IsNullOrEmpty))
        {
            throw new RpcException(RpcErrorCode.InvalidParams, "Invalid parameters: examine_deny has an empty pattern; give names, with * and ? for what may be anything");
        }
        registry.Options = options;
    }
}

[RpcObject]
internal sealed class GetBdevsParameters
{
    [RpcMember(Summary = "Name, alias or UUID of one bdev; all when left out.")]
    public string? Name { get; init; }

    [RpcMember(Summary = "Milliseconds to wait for that bdev to come.")]
    public ulong Timeout { get; init; }
}

[RpcObject]
internal sealed class ExamineParameters
{
    [RpcMember(Required = true, Summary = "The bdev's name.")]
    public string Name { get; init; } = "";
}

[RpcObject]
internal sealed class BdevOptionsParameters
{
    [RpcMember(Summary = "I/O objects that all bdevs may have on all threads together.")]
    public int? BdevIoPoolSize { get; init; }

    [RpcMember(Summary = "I/O objects that each bdev may have on each thread whatever the others have.")]
    public int? BdevIoCacheSize { get; init; }

    [RpcMember(Summary = "Whether modules look at every new bdev.")]
    public bool? BdevAutoExamine { get; init; }

    [RpcMember(Summary = "Bdevs whose contents modules do not look for, by name, alias or UUID; * and ? stand for any characters and for one. Not in SPDK.")]
    public IReadOnlyList<string>? ExamineDeny { get; init; }

    [RpcMember(Summary = "Small iobuf buffers kept on each thread, for unaligned I/O and emulation.")]
    public int? IobufSmallCacheSize { get; init; }

    [RpcMember(Summary = "Large iobuf buffers kept on each thread, for unaligned I/O and emulation.")]
    public int? IobufLargeCacheSize { get; init; }
}
