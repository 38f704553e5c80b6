using Spindle.Frontend.Nvmf.Commands.Admin;
using Spindle.Frontend.Nvmf.Commands.Fabrics;
using Spindle.Frontend.Nvmf.Commands.Io;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Commands;

/// <summary>From a command to the code that carries it out, by queue and opcode.</summary>
internal static class CommandDispatch
{
    /// <summary>What data a command moves.</summary>
    [DataPath]
    public static NvmfDataTransfer Describe(NvmfQueuePair queuePair, NvmfRequest request)
    {
        uint max = queuePair.Transport.Options.MaxIoSize;
        DataTransferDirection direction = request.Command.DataTransfer;
        if (direction is DataTransferDirection.None or DataTransferDirection.Bidirectional) return new(DataTransferDirection.None, 0, max);
        ref SglDescriptor sgl = ref request.Command.Sgl1;
        uint length = sgl.Type == SglDescriptorType.KeyedDataBlock ? sgl.KeyedLength : sgl.Length;
        return length == 0 ? new(DataTransferDirection.None, 0, max) : new(direction, length, max);
    }

    /// <summary>Carries out a command whose buffers are there.</summary>
    [DataPath]
    public static void Execute(NvmfQueuePair queuePair, NvmfRequest request)
    {
        if (request.Command.IsFabrics) FabricsCommands.Execute(queuePair, request);
        else if (queuePair.State != NvmfQueuePairState.Enabled) request.Complete(new StatusField(GenericStatusCode.CommandSequenceError, dnr: true));
        else if (queuePair.Qid != 0) IoCommands.Execute(queuePair, request);
        else AdminCommands.Execute(queuePair.Controller!, request);
    }
}
