using Spindle.Nvme.Identify;
using Spindle.Rpc;

namespace Spindle.Bdev.Nvme.Bdevs;

/// <summary>What bdev_get_bdevs tells of the namespace and its controllers.</summary>
internal static class NvmeBdevInfo
{
    internal static void Write(IRpcWriter writer, NvmeBdev bdev)
    {
        writer.Name("nvme");
        writer.BeginArray();
        foreach (var path in bdev.Paths) WritePath(writer, path);
        writer.EndArray();
        writer.Name("mp_policy");
        writer.String(bdev.Choice.PolicyName);
        if (bdev.Choice.Policy != MultipathPolicy.ActiveActive) return;
        writer.Name("selector");
        writer.String(bdev.Choice.SelectorName);
        if (bdev.Choice.Selector != MultipathSelector.RoundRobin) return;
        writer.Name("rr_min_io");
        writer.Number((ulong)bdev.Choice.MinIo);
    }

    private static void WritePath(IRpcWriter writer, Namespaces.NvmeNamespace path)
    {
        writer.BeginObject();
        writer.Name("trid");
        writer.BeginObject();
        path.Controller.Addresses[0].Write(writer);
        writer.EndObject();
        if (path.Controller.Session is { } session)
        {
            WriteController(writer, session);
            writer.Name("vs");
            writer.BeginObject();
            writer.Name("nvme_version");
            writer.String($"{session.Version.Major}.{session.Version.Minor}{(session.Version.Tertiary != 0 ? $".{session.Version.Tertiary}" : "")}");
            writer.EndObject();
        }
        writer.Name("ns_data");
        writer.BeginObject();
        writer.Name("id");
        writer.Number((ulong)path.Nsid);
        if (path.Controller.Session is { HasAna: true })
        {
            writer.Name("ana_state");
            writer.String(AnaStateName(path.AnaState));
        }
        writer.Name("can_share");
        writer.Boolean(path.Info.CanShare);
        writer.EndObject();
        writer.EndObject();
    }

    private static void WriteController(IRpcWriter writer, Controllers.ControllerSession session)
    {
        var identify = session.Identify;
        writer.Name("ctrlr_data");
        writer.BeginObject();
        writer.Name("cntlid");
        writer.Number((ulong)identify.Cntlid);
        writer.Name("vendor_id");
        writer.String($"0x{identify.Vid:x4}");
        writer.Name("model_number");
        writer.String(session.ModelNumber);
        writer.Name("serial_number");
        writer.String(session.SerialNumber);
        writer.Name("firmware_revision");
        writer.String(session.FirmwareRevision);
        ReadOnlySpan<byte> subnqn = identify.Subnqn;
        if (Spindle.Nvme.Nqn.TryRead(subnqn, out string nqn) && nqn.Length > 0)
        {
            writer.Name("subnqn");
            writer.String(nqn);
        }
        writer.Name("oacs");
        writer.BeginObject();
        foreach (var (name, bit) in new[]
        {
            ("security", OptionalAdminCommandSupport.SecuritySendReceive), ("format", OptionalAdminCommandSupport.FormatNvm),
            ("firmware", OptionalAdminCommandSupport.FirmwareCommitAndDownload), ("ns_manage", OptionalAdminCommandSupport.NamespaceManagement),
        })
        {
            writer.Name(name);
            writer.Number((identify.Oacs & bit) != 0 ? 1ul : 0);
        }
        writer.EndObject();
        writer.Name("multi_ctrlr");
        writer.Boolean((identify.Cmic & ControllerMultiPathCapabilities.MultipleControllers) != 0);
        writer.Name("ana_reporting");
        writer.Boolean(session.HasAna);
        writer.EndObject();
    }

    private static string AnaStateName(Spindle.Nvme.LogPages.AnaState state) => state switch
    {
        Spindle.Nvme.LogPages.AnaState.Optimized => "optimized",
        Spindle.Nvme.LogPages.AnaState.NonOptimized => "non_optimized",
        Spindle.Nvme.LogPages.AnaState.Inaccessible => "inaccessible",
        Spindle.Nvme.LogPages.AnaState.PersistentLoss => "persistent_loss",
        _ => "change",
    };
}
