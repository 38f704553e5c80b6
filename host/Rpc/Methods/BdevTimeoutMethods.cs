using Spindle.Host.Bdevs;
using Spindle.Host.Faults;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>What is done about I/O that a bdev's module does not complete.</summary>
internal sealed class BdevTimeoutMethods(BdevRegistry registry)
{
    const ulong MaxMilliseconds = 3_600_000;

    [RpcMethod("bdev_set_io_timeout", Summary = "Says what is done about I/O of a bdev that its module does not complete in time; without timeout_ms and action, what the host does for any.")]
    public void Set(IoTimeoutParameters parameters)
    {
        var bdev = BdevMethods.Find(registry, parameters.Name);
        if (parameters.TimeoutMs > MaxMilliseconds)
        {
            throw new SpindleException(Errno.EINVAL, $"timeout_ms is {parameters.TimeoutMs}; it must be at most {MaxMilliseconds}, an hour, or 0 for no limit.");
        }
        TimeSpan? after = parameters.TimeoutMs is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : null;
        registry.SetIoTimeout(bdev, after is null && parameters.Action is null ? null : new BdevIoTimeout(after, parameters.Action));
    }
}

[RpcObject]
internal sealed class IoTimeoutParameters
{
    [RpcMember(Required = true, Summary = "The bdev's name.")]
    public string Name { get; init; } = "";

    [RpcMember(Summary = "Milliseconds that the module may take; 0: no limit; the host's when left out.")]
    public ulong? TimeoutMs { get; init; }

    [RpcMember(Summary = "How far to go then: none, report, abort, reset or remove, each step after the time again; the host's when left out.")]
    public IoTimeoutAction? Action { get; init; }
}
