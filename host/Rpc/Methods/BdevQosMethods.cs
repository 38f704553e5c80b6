using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Host.Bdevs.Qos;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>Limits on bdevs' reads and writes.</summary>
internal sealed class BdevQosMethods(BdevRegistry registry, ILogger<BdevQosMethods> logger)
{
    [RpcMethod("bdev_set_qos_limit", Summary = "Limits the reads and writes of a bdev, all threads together; what is not given stays as it is, 0 ends a limit.")]
    public async Task SetLimitAsync(QosLimitParameters parameters)
    {
        var bdev = BdevMethods.Find(registry, parameters.Name);
        if (parameters is { RwIosPerSec: null, RwMbytesPerSec: null, RMbytesPerSec: null, WMbytesPerSec: null })
        {
            throw new RpcException(-Errno.EINVAL, "No rate limits specified");
        }
        var now = BdevRegistry.GetRateLimits(bdev);
        var wanted = new BdevRateLimits(parameters.RwIosPerSec ?? now.ReadWriteIosPerSecond, parameters.RwMbytesPerSec ?? now.ReadWriteMegabytesPerSecond,
            parameters.RMbytesPerSec ?? now.ReadMegabytesPerSecond, parameters.WMbytesPerSec ?? now.WriteMegabytesPerSecond);
        var kept = wanted.Kept;
        if (kept != wanted)
        {
            logger.LogWarning("Bdev {Bdev}: {Wanted} reads and writes per second are not a multiple of {Step}, or megabytes are above {Most}: the limits are now {Kept}.",
                bdev.Name, wanted.ReadWriteIosPerSecond, BdevRateLimits.IosPerSecondStep, BdevRateLimits.MaxMegabytesPerSecond, kept);
        }
        await registry.SetRateLimitsAsync(bdev, kept);
    }
}

[RpcObject]
internal sealed class QosLimitParameters
{
    [RpcMember(Required = true, Summary = "The bdev's name.")]
    public string Name { get; init; } = "";

    [RpcMember(Summary = "Reads and writes per second; rounded up to a multiple of 1000. 0: no limit.")]
    public ulong? RwIosPerSec { get; init; }

    [RpcMember(Summary = "Megabytes (2^20 bytes) of reads and writes per second. 0: no limit.")]
    public ulong? RwMbytesPerSec { get; init; }

    [RpcMember(Summary = "Megabytes of reads per second. 0: no limit.")]
    public ulong? RMbytesPerSec { get; init; }

    [RpcMember(Summary = "Megabytes of writes per second. 0: no limit.")]
    public ulong? WMbytesPerSec { get; init; }
}
