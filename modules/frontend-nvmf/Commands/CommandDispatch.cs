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
        request.Complete(new StatusField(GenericStatusCode.InvalidCommandOpcode, dnr: true));
    }
}
