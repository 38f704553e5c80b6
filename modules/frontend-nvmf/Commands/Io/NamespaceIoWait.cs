using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Transport;

namespace Spindle.Frontend.Nvmf.Commands.Io;

/// <summary>A command that waits until its bdev has a free I/O object; made once for each request slot.</summary>
[DataPath]
internal sealed class NamespaceIoWait(NvmfRequest request) : BdevIoWait
{
    /// <summary>Carries the command on.</summary>
    protected override void OnAvailable()
    {
        if (request.FusedPeer is not null) FusedCompareAndWrite.Carry(request.Namespace!, request);
        else IoCommands.Carry(request.Namespace!, request);
    }
}
