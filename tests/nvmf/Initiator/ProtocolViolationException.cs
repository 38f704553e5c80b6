namespace Spindle.NvmfTests.Initiator;

/// <summary>The target did what the specification does not allow; the message says what and on which command.</summary>
public sealed class ProtocolViolationException(string message) : Exception(message);

/// <summary>The target ended the connection with a C2HTermReq.</summary>
public sealed class ConnectionTerminatedException(Spindle.Nvme.Tcp.FatalErrorStatus fes, uint fei)
    : Exception($"The target terminated the connection: {fes} (FES {(ushort)fes:X2}h), FEI {fei}.")
{
    public Spindle.Nvme.Tcp.FatalErrorStatus Fes { get; } = fes;
    public uint Fei { get; } = fei;
}

/// <summary>A command completed with a status other than success.</summary>
public sealed class NvmeStatusException(string command, Spindle.Nvme.Commands.CompletionQueueEntry completion)
    : Exception($"{command} completed with {completion.Status}, dword 0 {completion.Cdw0:X8}h.")
{
    public Spindle.Nvme.Commands.CompletionQueueEntry Completion { get; } = completion;
    public Spindle.Nvme.Commands.StatusField Status => Completion.Status;
}
