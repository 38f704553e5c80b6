using Spindle.Frontend.Nvmf.Commands;
using Spindle.Frontend.Nvmf.Commands.Admin;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Events;
using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Discovery;

/// <summary>A Get Log Page of the discovery log: the page is made on the app thread, where what it tells is kept, and the command ends on the controller's.</summary>
internal sealed class DiscoveryLogRequest
{
    private static readonly StorageMessage s_build = static state => ((DiscoveryLogRequest)state!).Build();
    private static readonly StorageMessage s_finish = static state => ((DiscoveryLogRequest)state!).Finish();

    private readonly NvmfController _controller;
    private readonly NvmfRequest _request;
    private readonly ulong _offset;
    private readonly ulong _length;
    private readonly bool _retain;
    private byte[] _page = [];

    private DiscoveryLogRequest(NvmfController controller, NvmfRequest request, ulong offset, ulong length, bool retain)
    {
        _controller = controller;
        _request = request;
        _offset = offset;
        _length = length;
        _retain = retain;
    }

    /// <summary>Begins; the request is completed later.</summary>
    public static void Start(NvmfController controller, NvmfRequest request, ulong offset, ulong length, bool retain) =>
        controller.Target.AppThread.Send(s_build, new DiscoveryLogRequest(controller, request, offset, length, retain));

    private void Build()
    {
        _page = _controller.Target.Discovery.Build(_controller.HostNqn, _controller.ListenAddress);
        _controller.Thread.Send(s_finish, this);
    }

    private void Finish()
    {
        if (_offset >= (ulong)_page.Length)
        {
            _request.Complete(AdminCommands.InvalidField);
            return;
        }
        RequestData.WritePart(_request, _page, _offset, _length);
        if (!_retain) _controller.Events.Clear(AsynchronousEvent.DiscoveryLogPageChange);
        _request.Complete(StatusField.Success);
    }
}
