using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands.Io;

/// <summary>Flush (NVMe Base Specification 2.0, section 7.1). A bdev that has nothing to flush has flushed it.</summary>
[DataPath]
internal static class FlushCommand
{
    private static readonly BdevIoCallback s_done = static (object? state, in BdevIoResult result) => BdevOutcome.Complete((NvmfRequest)state!, in result);

    /// <summary>Begins it, or carries it on.</summary>
    public static void Carry(NamespaceChannel channel, NvmfRequest request)
    {
        if (!channel.CanFlush) request.Complete(StatusField.Success);
        else BdevOutcome.Submitted(channel, request, channel.Channel.Flush(0, channel.Bdev.BlockCount, s_done, request));
    }
}
