using Spindle.Bdev.Nvme.Bdevs;
using Spindle.Bdev.Nvme.Controllers;
using Spindle.Bdev.Nvme.Transports;
using Spindle.Rpc;

namespace Spindle.Bdev.Nvme.Rpc;

/// <summary>The calls that bring the module's state back.</summary>
internal static class SavedConfiguration
{
    internal static void Write(IConfigWriter writer, NvmeControllers controllers)
    {
        writer.Call("bdev_nvme_set_options", w => OptionValues.Write(w, controllers.OptionValues));
        foreach (var group in controllers.Groups)
        {
            foreach (var controller in group.Controllers)
            {
                if (controller.State == ControllerState.Deleting) continue;
                bool first = true;
                foreach (var address in controller.Addresses)
                {
                    // A further path takes these over, and may not say them.
                    bool checks = first && controller == group.Controllers[0];
                    string? multipath = controller.Path.Multipath ? "multipath" : first ? null : "failover";
                    writer.Call("bdev_nvme_attach_controller", w => WriteAttach(w, group.Name, controller, address, multipath, checks));
                    first = false;
                }
            }
            foreach (var bdev in group.Bdevs.Values)
                if (bdev.Choice != MultipathChoice.Default) writer.Call("bdev_nvme_set_multipath_policy", w => WritePolicy(w, bdev));
        }
    }

    private static void WriteAttach(IRpcWriter w, string name, NvmeController controller, TransportAddress address, string? multipath, bool checks)
    {
        var path = controller.Path;
        w.Name("name");
        w.String(name);
        address.Write(w);
        w.Name("prchk_reftag");
        w.Boolean(checks && path.CheckReferenceTag);
        w.Name("prchk_guard");
        w.Boolean(checks && path.CheckGuard);
        w.Name("ctrlr_loss_timeout_sec");
        w.Number((long)path.CtrlrLossTimeoutSec);
        w.Name("reconnect_delay_sec");
        w.Number((ulong)path.ReconnectDelaySec);
        w.Name("fast_io_fail_timeout_sec");
        w.Number((ulong)path.FastIoFailTimeoutSec);
        w.Name("hostnqn");
        w.String(path.HostNqn);
        w.Name("hdgst");
        w.Boolean(path.HeaderDigest);
        w.Name("ddgst");
        w.Boolean(path.DataDigest);
        if (multipath is not null)
        {
            w.Name("multipath");
            w.String(multipath);
        }
        w.Name("fabrics_connect_timeout_us");
        w.Number(path.FabricsConnectTimeoutUs);
        w.Name("num_io_queues");
        w.Number((ulong)path.IoQueues);
    }

    private static void WritePolicy(IRpcWriter w, NvmeBdev bdev)
    {
        w.Name("name");
        w.String(bdev.Name);
        w.Name("policy");
        w.String(bdev.Choice.PolicyName);
        if (bdev.Choice.Policy != MultipathPolicy.ActiveActive) return;
        w.Name("selector");
        w.String(bdev.Choice.SelectorName);
        if (bdev.Choice.Selector != MultipathSelector.RoundRobin) return;
        w.Name("rr_min_io");
        w.Number((ulong)bdev.Choice.MinIo);
    }
}
