using Spindle.Bdev.Nvme.Controllers;
using Spindle.Rpc;

namespace Spindle.Bdev.Nvme.Rpc;

/// <summary>The options of all controllers.</summary>
public sealed class OptionsRpc(NvmeService service)
{
    private readonly NvmeControllers _controllers = service.Controllers;

    /// <summary>Sets options; what is absent stays as it is.</summary>
    /// <exception cref="SpindleException">EPERM: a controller is attached. EINVAL: they do not fit together.</exception>
    [RpcMethod("bdev_nvme_set_options", Summary = "Set the options of NVMe controllers; before the first one is attached.", Phase = RpcPhase.Any,
        ParameterErrorCode = RpcErrorCode.InternalError, ParameterErrorText = "spdk_json_decode_object failed")]
    public bool SetOptions(OptionsParameters parameters)
    {
        var values = OptionValues.Merge(parameters, _controllers.OptionValues);
        var options = Checked(values);
        if (_controllers.Groups.Count > 0)
            throw new SpindleException(Errno.EPERM, "RPC not permitted with nvme controllers already attached: detach them first (bdev_nvme_detach_controller).");
        _controllers.OptionValues = values;
        _controllers.Options = options;
        return true;
    }

    /// <summary>Looks for PCIe devices that come and go. There are none yet; a saved configuration of SPDK's has the call with false.</summary>
    /// <exception cref="SpindleException">ENOTSUP: it is to be turned on.</exception>
    [RpcMethod("bdev_nvme_set_hotplug", Summary = "Accepted with enable=false: hotplug is for PCIe, which is not supported.",
        ParameterErrorCode = RpcErrorCode.InvalidParams, ParameterErrorText = "Invalid argument")]
    public bool SetHotplug(HotplugParameters parameters) => !parameters.Enable ? true
        : throw new SpindleException(Errno.ENOTSUP, "enable=true is not supported: hotplug is for PCIe, and controllers are attached by TCP here. Leave the call out, or give enable=false.");

    private static NvmeOptions Checked(OptionsParameters values)
    {
        var options = new NvmeOptions
        {
            ActionOnTimeout = values.ActionOnTimeout switch
            {
                "none" => TimeoutAction.None,
                "reset" => TimeoutAction.Reset,
                "abort" => TimeoutAction.Abort,
                var other => throw new RpcException(RpcErrorCode.InternalError, $"spdk_json_decode_object failed: action_on_timeout '{other}' is none of none, reset and abort."),
            },
            TimeoutUs = values.TimeoutUs!.Value,
            TimeoutAdminUs = values.TimeoutAdminUs!.Value,
            KeepAliveTimeoutMs = values.KeepAliveTimeoutMs!.Value,
            IoQueueRequests = values.IoQueueRequests!.Value,
            BdevRetryCount = values.BdevRetryCount!.Value,
            CtrlrLossTimeoutSec = values.CtrlrLossTimeoutSec!.Value,
            ReconnectDelaySec = values.ReconnectDelaySec!.Value,
            FastIoFailTimeoutSec = values.FastIoFailTimeoutSec!.Value,
            DisableAutoFailback = values.DisableAutoFailback!.Value,
            EnableFlush = values.EnableFlush!.Value,
            TcpConnectTimeoutMs = values.TcpConnectTimeoutMs!.Value,
        };
        if (options.TimeoutUs == 0 && options.TimeoutAdminUs != 0) throw Invalid("timeout_admin_us needs timeout_us, which is 0.");
        // What does not fit a timer; a day is more than anybody waits for one command.
        if (options.TimeoutUs > 86_400_000_000 || options.TimeoutAdminUs > 86_400_000_000) throw Invalid("timeout_us and timeout_admin_us are at most 86400000000, a day.");
        if (options.BdevRetryCount < -1) throw Invalid($"bdev_retry_count {options.BdevRetryCount} is below -1 (without end).");
        if (PathOptions.CheckTimes(options.CtrlrLossTimeoutSec, options.ReconnectDelaySec, options.FastIoFailTimeoutSec) is { } why) throw Invalid(why);
        return options;
    }

    private static SpindleException Invalid(string why) => new(Errno.EINVAL, $"Invalid argument: {why}");
}

/// <summary>The parameters of <c>bdev_nvme_set_hotplug</c>.</summary>
[RpcObject]
public sealed class HotplugParameters
{
    [RpcMember(Required = true, Summary = "false; true is not supported")]
    public bool Enable { get; set; }

    [RpcMember(Summary = "Without effect")]
    public ulong PeriodUs { get; set; }
}
