using System.Runtime.CompilerServices;
using System.Text;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Registers;

namespace Spindle.Tool.NvmePerf.Initiator;

/// <summary>The commands with which a host sets itself up; each waits for its end. On the connection's storage thread.</summary>
internal static class InitiatorCommands
{
    private static readonly SlotCompletion s_completed = static (InitiatorSlot slot, in CompletionQueueEntry completion) =>
        ((TaskCompletionSource<CompletionQueueEntry>)slot.State!).TrySetResult(completion);

    private static async Task<CompletionQueueEntry> RunAsync(InitiatorConnection connection, SubmissionQueueEntry command, bool isWrite, uint dataLength, string what)
    {
        var slot = connection.Slots[0];
        var done = new TaskCompletionSource<CompletionQueueEntry>(TaskCreationOptions.RunContinuationsAsynchronously);
        connection.Failed = reason => done.TrySetException(new SpindleException(Errno.EIO, reason));
        slot.Command = command;
        slot.IsWrite = isWrite;
        slot.DataLength = dataLength;
        slot.State = done;
        slot.Completed = s_completed;
        connection.Submit(slot);
        connection.Flush();
        var completion = await done.Task.WaitAsync(TimeSpan.FromSeconds(10));
        if (!completion.Status.IsSuccess)
            throw new SpindleException(Errno.EIO, $"{what} failed: status type {(byte)completion.Status.StatusCodeType:x}h, code {completion.Status.StatusCode:x2}h, result {completion.Cdw0:x8}h.");
        return completion;
    }

    /// <summary>Fabrics Connect (NVMe over Fabrics 1.1, 3.3).</summary>
    /// <returns>The controller's id.</returns>
    internal static async Task<ushort> ConnectAsync(InitiatorConnection connection, string hostNqn, Guid hostId, string nqn, ushort qid, ushort cntlid, int depth)
    {
        FillConnectData(connection.Slots[0], hostNqn, hostId, nqn, cntlid);
        var completion = await RunAsync(connection, ConnectCommand(qid, depth), true, ConnectData.Size, $"Connecting queue {qid} to {nqn}");
        return ConnectResponse.Cntlid(completion.Cdw0);
    }

    private static SubmissionQueueEntry ConnectCommand(ushort qid, int depth)
    {
        var command = new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.FabricsCommands, Fctype = FabricsCommandType.Connect };
        ref var connect = ref command.As<ConnectCommand>();
        connect.Qid = qid;
        connect.Sqsize = (ushort)depth;
        return command;
    }

    private static unsafe void FillConnectData(InitiatorSlot slot, string hostNqn, Guid hostId, string nqn, ushort cntlid)
    {
        var data = slot.Data.Span[..ConnectData.Size];
        data.Clear();
        hostId.TryWriteBytes(data, bigEndian: true, out _);
        BitConverter.TryWriteBytes(data[ConnectResponse.IpoCntlid..], cntlid);
        Encoding.ASCII.GetBytes(nqn, data.Slice(ConnectResponse.IpoSubnqn, 256));
        Encoding.ASCII.GetBytes(hostNqn, data.Slice(ConnectResponse.IpoHostnqn, 256));
    }

    internal static async Task<ulong> GetPropertyAsync(InitiatorConnection connection, PropertyOffset property, bool wide)
    {
        var command = new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.FabricsCommands, Fctype = FabricsCommandType.PropertyGet };
        command.As<PropertyGetCommand>().Attrib = wide ? (byte)1 : (byte)0;
        command.As<PropertyGetCommand>().Ofst = property;
        var completion = await RunAsync(connection, command, false, 0, $"Reading property {property}");
        return wide ? completion.Result : completion.Cdw0;
    }

    /// <summary>Enables the controller and waits until it is ready (NVMe Base Specification 2.0, 3.5.2).</summary>
    internal static async Task EnableAsync(InitiatorConnection connection)
    {
        var configuration = new ControllerConfiguration { En = true, Iosqes = 6, Iocqes = 4 };
        var command = new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.FabricsCommands, Fctype = FabricsCommandType.PropertySet };
        command.As<PropertySetCommand>().Ofst = PropertyOffset.Cc;
        command.As<PropertySetCommand>().Value = configuration.Raw;
        await RunAsync(connection, command, false, 0, "Enabling the controller");
        for (int i = 0; (await GetPropertyAsync(connection, PropertyOffset.Csts, false) & 1) == 0; i++)
        {
            if (i == 500) throw new SpindleException(Errno.ETIMEDOUT, "The controller does not become ready.");
            await Task.Delay(10);
        }
    }

    /// <summary>Identify; the data is in the first slot afterwards.</summary>
    internal static Task IdentifyAsync(InitiatorConnection connection, byte cns, uint nsid) =>
        RunAsync(connection, new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.Identify, Nsid = nsid, Cdw10 = cns }, false, 4096, $"Identify {cns:x2}h");

    /// <summary>Asks for I/O queues.</summary>
    /// <returns>How many there may be.</returns>
    internal static async Task<int> SetQueueCountAsync(InitiatorConnection connection, int count)
    {
        const uint numberOfQueues = 7;
        uint zeroBased = (uint)count - 1;
        var command = new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.SetFeatures, Cdw10 = numberOfQueues, Cdw11 = zeroBased | zeroBased << 16 };
        var completion = await RunAsync(connection, command, false, 0, "Asking for I/O queues");
        return (int)Math.Min(completion.Cdw0 & 0xffff, completion.Cdw0 >> 16) + 1;
    }
}
