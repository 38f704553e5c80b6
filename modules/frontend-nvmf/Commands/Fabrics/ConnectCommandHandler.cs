using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;

namespace Spindle.Frontend.Nvmf.Commands.Fabrics;

/// <summary>The Connect command (NVMe Base Specification 2.0, section 6.3): what can be seen from the queue's own thread is checked here; then <see cref="ConnectOperation"/> goes on.</summary>
internal static class ConnectCommandHandler
{
    /// <summary>Carries it out.</summary>
    public static void Execute(NvmfQueuePair queuePair, NvmfRequest request)
    {
        NvmfTarget target = (NvmfTarget)queuePair.Transport.Host;
        ConnectData data = default;
        if (!RequestData.TryRead(request, MemoryMarshal.AsBytes(new Span<ConnectData>(ref data))))
        {
            request.Complete(new StatusField(GenericStatusCode.DataSglLengthInvalid, dnr: true));
            return;
        }
        ref ConnectCommand command = ref request.Command.As<ConnectCommand>();
        if (command.Recfmt != 0)
        {
            request.Complete(new StatusField(FabricsStatusCode.ConnectIncompatibleFormat, dnr: true));
            return;
        }
        if (!Nqn.TryRead(data.Subnqn, out string subNqn) || target.FindSubsystem(subNqn) is not { } subsystem)
        {
            RefuseData(target, request, ConnectResponse.IpoSubnqn, $"there is no subsystem '{subNqn}'");
            return;
        }
        // A host without a name (SPDK's spdk_nvme_perf connects so unless told one) is let in where any host is; no list can name it.
        string hostNqn = "";
        if (((ReadOnlySpan<byte>)data.Hostnqn)[0] != 0 && !Nqn.TryRead(data.Hostnqn, out hostNqn))
        {
            RefuseData(target, request, ConnectResponse.IpoHostnqn, "the host NQN is not UTF-8 or not terminated");
            return;
        }
        SubsystemView view = subsystem.View;
        SubsystemListener? listener = view.FindListener(queuePair.ListenAddress);
        if (!view.AllowsHost(hostNqn) || (listener is null && !subsystem.IsDiscovery))
        {
            target.Log.LogWarning("{Nqn} does not allow host {Host} to connect at {Address}", subNqn, hostNqn, queuePair.ListenAddress);
            request.Complete(new StatusField(FabricsStatusCode.ConnectInvalidHost, dnr: true));
            return;
        }
        uint maxDepth = command.Qid == 0 ? queuePair.Transport.Options.MaxAdminQueueDepth : queuePair.Transport.Options.MaxQueueDepth;
        if (command.Sqsize == 0 || command.Sqsize >= maxDepth)
        {
            Refuse(target, request, ConnectResponse.IpoSqsize, $"SQSIZE {command.Sqsize} is not 1 to {maxDepth - 1}");
            return;
        }
        if (command.Qid == 0 && data.Cntlid != NvmeConstants.DynamicControllerId)
        {
            RefuseData(target, request, ConnectResponse.IpoCntlid, $"controller ID {data.Cntlid:X4}h was asked for; controllers are dynamic, FFFFh");
            return;
        }
        queuePair.State = NvmfQueuePairState.Connecting;
        ConnectOperation operation = new(target, subsystem, queuePair, request)
        {
            Cntlid = data.Cntlid,
            Identity = new ControllerIdentity(hostNqn, data.Hostid, listener, queuePair.ListenAddress, command.Kato),
        };
        operation.Start();
    }

    private static void Refuse(NvmfTarget target, NvmfRequest request, ushort offset, string why)
    {
        target.Log.LogWarning("Connect refused: {Reason}", why);
        request.Completion.Cdw0 = ConnectResponse.InvalidParameters(offset, inData: false);
        request.Complete(new StatusField(FabricsStatusCode.ConnectInvalidParameters, dnr: true));
    }

    private static void RefuseData(NvmfTarget target, NvmfRequest request, ushort offset, string why)
    {
        target.Log.LogWarning("Connect refused: {Reason}", why);
        request.Completion.Cdw0 = ConnectResponse.InvalidParameters(offset, inData: true);
        request.Complete(new StatusField(FabricsStatusCode.ConnectInvalidParameters, dnr: true));
    }
}
