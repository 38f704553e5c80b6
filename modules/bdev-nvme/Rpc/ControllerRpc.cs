using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Spindle.Bdev.Nvme.Controllers;
using Spindle.Bdev.Nvme.Transports;
using Spindle.Nvme;
using Spindle.Rpc;

namespace Spindle.Bdev.Nvme.Rpc;

/// <summary>Attaching and detaching controllers, and what is done to one.</summary>
public sealed class ControllerRpc(NvmeService service)
{
    private const string DecodeError = "spdk_json_decode_object failed";
    private const int MaxAddressLength = 256, MaxServiceLength = 32;

    private readonly NvmeControllers _controllers = service.Controllers;

    /// <summary>Attaches a controller and makes bdevs on its namespaces; returns their names.</summary>
    /// <exception cref="SpindleException">EINVAL: a parameter is not valid. EALREADY: the path, or the name, is taken. What stood against connecting.</exception>
    [RpcMethod("bdev_nvme_attach_controller", Summary = "Attach an NVMe controller; returns the names of the bdevs on its namespaces.", ParameterErrorText = DecodeError)]
    public async Task<IReadOnlyList<string>> AttachAsync(AttachParameters p, CancellationToken cancellationToken)
    {
        Require(p.MaxBdevs > 0, "max_bdevs cannot be zero");
        var path = Checked(p);
        bool multipath = p.Multipath is null or "multipath";
        Require(multipath || p.Multipath is "failover" or "disable", $"multipath '{p.Multipath}' is none of multipath, failover and disable.");
        if (_controllers.Find(p.Name) is { } group) CheckBeside(p, path, group);
        Require(p.NumIoQueues is > 0 and <= 65536, $"num_io_queues out of bounds, min: 1 max: 65536: it is {p.NumIoQueues}.");
        if (PathOptions.CheckTimes(path.CtrlrLossTimeoutSec, path.ReconnectDelaySec, path.FastIoFailTimeoutSec) is { } why) throw Invalid($"Invalid argument: {why}");
        var names = await _controllers.AttachAsync(p.Name, path with { Multipath = multipath }, cancellationToken);
        return names.Count <= p.MaxBdevs ? names : [.. names.Take((int)p.MaxBdevs)];
    }

    private PathOptions Checked(AttachParameters p)
    {
        Require(p.Name.Length > 0, "name is empty.");
        foreach (var (name, value) in new[] { ("psk", p.Psk), ("dhchap_key", p.DhchapKey), ("dhchap_ctrlr_key", p.DhchapCtrlrKey), ("hostaddr", p.Hostaddr), ("hostsvcid", p.Hostsvcid) })
            if (value is not null) throw new SpindleException(Errno.ENOTSUP, $"{name} is not supported: leave it out.");
        if (p.AllowUnrecognizedCsi) throw new SpindleException(Errno.ENOTSUP, "allow_unrecognized_csi is not supported: leave it out.");
        string subnqn = p.Subnqn ?? "", hostNqn = p.Hostnqn ?? _controllers.DefaultHostNqn;
        Require(subnqn.Length > 0, "subnqn is needed: the subsystem to connect to (nvme discover lists them).");
        Require(subnqn.Length <= Nqn.MaxLength, $"subnqn too long: {subnqn}");
        Require(hostNqn.Length <= Nqn.MaxLength, $"hostnqn too long: {hostNqn}");
        if (!Nqn.TryValidate(subnqn, out string? error)) throw Invalid($"subnqn '{subnqn}': {error}");
        if (!Nqn.TryValidate(hostNqn, out error)) throw Invalid($"hostnqn '{hostNqn}': {error}");
        var defaults = _controllers.Options;
        return new PathOptions
        {
            Address = Address(p) with { Subnqn = subnqn },
            HostNqn = hostNqn,
            HeaderDigest = p.Hdgst,
            DataDigest = p.Ddgst,
            CheckReferenceTag = p.PrchkReftag,
            CheckGuard = p.PrchkGuard,
            FabricsConnectTimeoutUs = p.FabricsConnectTimeoutUs,
            IoQueues = p.NumIoQueues,
            CtrlrLossTimeoutSec = p.CtrlrLossTimeoutSec ?? defaults.CtrlrLossTimeoutSec,
            ReconnectDelaySec = p.ReconnectDelaySec ?? defaults.ReconnectDelaySec,
            FastIoFailTimeoutSec = p.FastIoFailTimeoutSec ?? defaults.FastIoFailTimeoutSec,
        };
    }

    private static TransportAddress Address(AttachParameters p)
    {
        Require(p.Trtype.Equals("TCP", StringComparison.OrdinalIgnoreCase), $"Failed to parse trtype: {p.Trtype}: this module connects by TCP.");
        Require(p.Traddr.Length < MaxAddressLength, $"traddr too long: {p.Traddr}");
        string service = p.Trsvcid ?? "4420";
        Require(service.Length < MaxServiceLength, $"trsvcid too long: {service}");
        if (!IPAddress.TryParse(p.Traddr, out var address)) throw Invalid($"traddr '{p.Traddr}' is no IP address.");
        if (!ushort.TryParse(service, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) || port == 0) throw Invalid($"trsvcid '{service}' is no port: give 1 to 65535.");
        if (p.Adrfam is { } family)
        {
            bool v6 = family.Equals("IPv6", StringComparison.OrdinalIgnoreCase);
            Require(v6 || family.Equals("IPv4", StringComparison.OrdinalIgnoreCase), $"Failed to parse adrfam: {family}: give IPv4 or IPv6.");
            Require(v6 == (address.AddressFamily == AddressFamily.InterNetworkV6), $"adrfam {family} is not the family of traddr '{p.Traddr}'.");
        }
        return new TransportAddress("TCP", p.Traddr, service, "");
    }

    private static void CheckBeside(AttachParameters p, PathOptions path, ControllerGroup group)
    {
        if (p.Multipath == "disable") throw new SpindleException(Errno.EALREADY, $"A controller named {p.Name} already exists and multipath is disabled");
        foreach (var controller in group.Controllers)
        {
            if (controller.Addresses.Exists(path.Address.SamePath))
                throw new SpindleException(Errno.EALREADY, $"A controller named {p.Name} already exists with the specified network path");
            string subnqn = controller.Path.Address.Subnqn, hostnqn = controller.Path.HostNqn;
            if (subnqn != path.Address.Subnqn) throw Invalid($"A controller named {p.Name} already exists, but uses a different subnqn ({subnqn})");
            if (hostnqn != path.HostNqn) throw Invalid($"A controller named {p.Name} already exists, but uses a different hostnqn ({hostnqn})");
        }
        if (p.PrchkGuard || p.PrchkReftag) throw Invalid($"A controller named {p.Name} already exists. To add a path, do not specify PI options.");
    }

    /// <summary>Detaches a controller, or those of its paths that fit what is given; the bdevs without a path go.</summary>
    /// <exception cref="SpindleException">ENODEV: there is none. EINVAL: trtype or adrfam is unknown.</exception>
    [RpcMethod("bdev_nvme_detach_controller", Summary = "Detach an NVMe controller, or some of its paths, and delete the bdevs that have no path left.", ParameterErrorText = DecodeError)]
    public async Task<bool> DetachAsync(DetachParameters p)
    {
        if (p.Trtype is { } trtype && !trtype.Equals("TCP", StringComparison.OrdinalIgnoreCase)) throw Invalid($"Failed to parse trtype: {trtype}: this module connects by TCP.");
        if (p.Adrfam is { } family && !family.Equals("IPv4", StringComparison.OrdinalIgnoreCase) && !family.Equals("IPv6", StringComparison.OrdinalIgnoreCase))
            throw Invalid($"Failed to parse adrfam: {family}: give IPv4 or IPv6.");
        bool Fits(PathOptions path, TransportAddress address) => (p.Traddr is null || p.Traddr == address.Traddr) && (p.Trsvcid is null || p.Trsvcid == address.Trsvcid)
            && (p.Subnqn is null || p.Subnqn == address.Subnqn) && (p.Adrfam is null || p.Adrfam.Equals(address.Adrfam, StringComparison.OrdinalIgnoreCase))
            && p.Hostaddr is null or "" && p.Hostsvcid is null or "";
        if (!await _controllers.DetachAsync(Group(p.Name), Fits)) throw NoDevice($"controller {p.Name} has no path like that (bdev_nvme_get_controllers).");
        return true;
    }

    /// <summary>Disconnects and connects again; I/O waits meanwhile.</summary>
    /// <exception cref="SpindleException">ENODEV: there is none. EIO: it does not come back.</exception>
    [RpcMethod("bdev_nvme_reset_controller", Summary = "Disconnect an NVMe controller and connect it again.", ParameterErrorCode = RpcErrorCode.InvalidParams, ParameterErrorText = "Invalid argument")]
    public Task<bool> ResetAsync(ControllerOperationParameters p) => ForEachAsync(p, static controller => controller.ResetAsync());

    /// <summary>Connects one again that was disabled.</summary>
    /// <exception cref="SpindleException">ENODEV: there is none. EIO: it does not come back.</exception>
    [RpcMethod("bdev_nvme_enable_controller", Summary = "Connect a disabled NVMe controller again.", ParameterErrorCode = RpcErrorCode.InvalidParams, ParameterErrorText = "Invalid argument")]
    public Task<bool> EnableAsync(ControllerOperationParameters p) => ForEachAsync(p, static controller => controller.EnableAsync());

    /// <summary>Disconnects until it is enabled; I/O that has no other path fails.</summary>
    /// <exception cref="SpindleException">ENODEV: there is none.</exception>
    [RpcMethod("bdev_nvme_disable_controller", Summary = "Disconnect an NVMe controller until it is enabled.", ParameterErrorCode = RpcErrorCode.InvalidParams, ParameterErrorText = "Invalid argument")]
    public Task<bool> DisableAsync(ControllerOperationParameters p) => ForEachAsync(p, static controller => controller.DisableAsync());

    private async Task<bool> ForEachAsync(ControllerOperationParameters p, Func<NvmeController, Task> operation)
    {
        var controllers = Group(p.Name).Controllers.Where(controller => p.Cntlid == 0 || controller.Cntlid == p.Cntlid).ToArray();
        if (controllers.Length == 0) throw NoDevice($"controller {p.Name} has none with cntlid {p.Cntlid} (bdev_nvme_get_controllers).");
        foreach (var controller in controllers) await operation(controller);
        return true;
    }

    private ControllerGroup Group(string name) => _controllers.Find(name) ?? throw NoDevice($"name '{name}' is no NVMe controller (bdev_nvme_get_controllers).");

    private static SpindleException NoDevice(string why) => new(Errno.ENODEV, $"No such device: {why}");

    private static SpindleException Invalid(string why) => new(Errno.EINVAL, why);

    private static void Require(bool condition, string message)
    {
        if (!condition) throw Invalid(message);
    }
}
