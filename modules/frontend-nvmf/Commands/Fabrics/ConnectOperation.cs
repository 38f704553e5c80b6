using Microsoft.Extensions.Logging;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Commands.Fabrics;

/// <summary>A Connect command on its way over the threads: queue's thread → app thread, where controllers are made and found → for an I/O queue the controller's
/// thread, where it takes its place → queue's thread, where it is answered.</summary>
internal sealed class ConnectOperation(NvmfTarget target, NvmfSubsystem subsystem, NvmfQueuePair queuePair, NvmfRequest request)
{
    private static readonly StorageMessage s_onAppThread = static state => ((ConnectOperation)state!).OnAppThread();
    private static readonly StorageMessage s_onControllerThread = static state => ((ConnectOperation)state!).OnControllerThread();
    private static readonly StorageMessage s_finish = static state => ((ConnectOperation)state!).Finish();

    private readonly ushort _qid = request.Command.As<ConnectCommand>().Qid;
    private readonly uint _queueSize = request.Command.As<ConnectCommand>().Sqsize + 1u;
    private readonly bool _noFlowControl = (request.Command.As<ConnectCommand>().Cattr & ConnectAttributes.DisableSqFlowControl) != 0;
    private NvmfController? _controller;
    private StatusField _status;
    private uint _result;

    /// <summary>The controller ID that was asked for.</summary>
    public required ushort Cntlid { get; init; }

    /// <summary>Who asks.</summary>
    public required ControllerIdentity Identity { get; init; }

    /// <summary>Begins, on the queue's thread.</summary>
    public void Start() => target.AppThread.Send(s_onAppThread, this);

    private void OnAppThread()
    {
        if (subsystem.IsDeleting || target.IsStopping)
        {
            End(new StatusField(FabricsStatusCode.ConnectInvalidParameters, dnr: true), ConnectResponse.InvalidParameters(ConnectResponse.IpoSubnqn, inData: true));
        }
        else if (!subsystem.View.AllowsHost(Identity.HostNqn) || Identity.Listener is { IsActive: false })
        {
            End(new StatusField(FabricsStatusCode.ConnectInvalidHost, dnr: true), 0);
        }
        else if (_qid == 0)
        {
            CreateController();
        }
        else
        {
            FindController();
        }
    }

    private void CreateController()
    {
        if (!subsystem.TryAllocateControllerId(out ushort id))
        {
            target.Log.LogWarning("{Nqn} has no controller ID left", subsystem.Nqn);
            End(new StatusField(FabricsStatusCode.ConnectControllerBusy), 0);
            return;
        }
        _controller = new NvmfController(target, subsystem, id, queuePair, Identity);
        subsystem.AddController(_controller);
        End(StatusField.Success, ConnectResponse.Success(id));
    }

    private void FindController()
    {
        StatusField invalid = new(FabricsStatusCode.ConnectInvalidParameters, dnr: true);
        NvmfController? controller = subsystem.FindController(Cntlid);
        if (controller is null)
        {
            End(invalid, ConnectResponse.InvalidParameters(ConnectResponse.IpoCntlid, inData: true));
        }
        else if (controller.HostNqn != Identity.HostNqn)
        {
            End(invalid, ConnectResponse.InvalidParameters(ConnectResponse.IpoHostnqn, inData: true));
        }
        else if (!controller.HostId.ToGuid().Equals(Identity.HostId.ToGuid()))
        {
            End(invalid, ConnectResponse.InvalidParameters(ConnectResponse.IpoHostid, inData: true));
        }
        else if (controller.Transport != queuePair.Transport
            || (subsystem.Options.AnaReporting && controller.Listener != Identity.Listener))
        {
            // The ANA state belongs to a port: all queues of a controller come in at the same one.
            End(invalid, ConnectResponse.InvalidParameters(ConnectResponse.IpoQid, inData: false));
        }
        else
        {
            _controller = controller;
            controller.Thread.Send(s_onControllerThread, this);
        }
    }

    private void OnControllerThread()
    {
        _status = _controller!.AddIoQueue(queuePair, _qid, out _result);
        if (!_status.IsSuccess) _controller = null;
        queuePair.Group.Thread.Send(s_finish, this);
    }

    private void End(StatusField status, uint result)
    {
        _status = status;
        _result = result;
        queuePair.Group.Thread.Send(s_finish, this);
    }

    private void Finish()
    {
        bool disconnecting = queuePair.State == NvmfQueuePairState.Disconnecting;
        if (_controller is not null)
        {
            // Also when the connection has gone meanwhile: the controller must hear of its end.
            queuePair.Controller = _controller;
            queuePair.Qid = _qid;
        }
        else if (!disconnecting)
        {
            queuePair.State = NvmfQueuePairState.Uninitialized;
        }
        if (_controller is not null && !disconnecting) Connected(_controller);
        request.Completion.Cdw0 = _result;
        request.Complete(_status);
    }

    private void Connected(NvmfController controller)
    {
        queuePair.QueueSize = _queueSize;
        queuePair.Namespaces = queuePair.Group.FindSubsystem(subsystem.Id);
        queuePair.State = NvmfQueuePairState.Enabled;
        queuePair.Group.Statistics.OnConnected(queuePair);
        if (_qid == 0) controller.Start();
        queuePair.OnConnected();
        if (_noFlowControl)
        {
            // Agreed to by SQHD FFFFh in Connect's completion (NVMe over Fabrics 1.1, section 3.3); reserved from then on.
            queuePair.SqFlowControlDisabled = true;
            request.Completion.Sqhd = ushort.MaxValue;
        }
    }
}
