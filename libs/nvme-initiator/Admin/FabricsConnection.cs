using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Initiator.Queues;
using Spindle.Nvme.Registers;

namespace Spindle.Nvme.Initiator.Admin;

/// <summary>Who connects to what.</summary>
/// <param name="HostNqn">The host's name.</param>
/// <param name="HostId">The host's identifier.</param>
/// <param name="SubsystemNqn">The subsystem's name.</param>
public sealed record FabricsIdentity(string HostNqn, Guid HostId, string SubsystemNqn);

/// <summary>The fabrics commands of a host (NVMe Base Specification 2.0, 6.2 to 6.6); on the queue's thread.</summary>
public static class FabricsConnection
{
    /// <summary>Connects a queue: the admin queue makes the association, I/O queues join it.</summary>
    /// <param name="queue">A new queue.</param>
    /// <param name="identity">Who and what.</param>
    /// <param name="qid">0: the admin queue.</param>
    /// <param name="cntlid">The controller of an I/O queue; FFFFh for the admin queue.</param>
    /// <param name="keepAlive">Of the association; milliseconds, 0: none.</param>
    /// <param name="scratch">Memory of at least <see cref="ConnectData.Size"/> bytes.</param>
    /// <param name="timeout">For the answer.</param>
    /// <returns>The controller's identifier.</returns>
    /// <exception cref="SpindleException">It was refused, or the target wants authentication.</exception>
    public static async Task<ushort> ConnectAsync(this NvmeQueue queue, FabricsIdentity identity, ushort qid, ushort cntlid, uint keepAlive, IoVec scratch, TimeSpan timeout)
    {
        var entry = new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.FabricsCommands, Fctype = FabricsCommandType.Connect };
        ref var connect = ref entry.As<ConnectCommand>();
        connect.Qid = qid;
        connect.Sqsize = (ushort)queue.Depth;
        connect.Kato = keepAlive;
        Fill(scratch, identity, cntlid);
        var completion = await queue.DoAsync($"Connecting queue {qid} to {identity.SubsystemNqn}", entry, scratch.Slice(0, ConnectData.Size), true, timeout);
        if (ConnectResponse.Authreq(completion.Cdw0) != 0)
            throw new SpindleException(Errno.EACCES, $"{identity.SubsystemNqn} wants the host to authenticate, which is not supported.");
        return ConnectResponse.Cntlid(completion.Cdw0);
    }

    private static void Fill(IoVec memory, FabricsIdentity identity, ushort cntlid)
    {
        var span = memory.Span[..ConnectData.Size];
        span.Clear();
        ref var data = ref WireBuffer.Ref<ConnectData>(span);
        data.Hostid = UuidBytes.FromGuid(identity.HostId);
        data.Cntlid = cntlid;
        Nqn.Write(data.Subnqn, identity.SubsystemNqn);
        Nqn.Write(data.Hostnqn, identity.HostNqn);
    }

    /// <summary>Reads a property.</summary>
    /// <param name="queue">The admin queue.</param>
    /// <param name="property">Which.</param>
    /// <param name="size">Its size.</param>
    /// <param name="timeout">For the answer.</param>
    public static async Task<ulong> GetPropertyAsync(this NvmeQueue queue, PropertyOffset property, PropertySize size, TimeSpan timeout)
    {
        var entry = new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.FabricsCommands, Fctype = FabricsCommandType.PropertyGet };
        entry.As<PropertyGetCommand>().Attrib = (byte)size;
        entry.As<PropertyGetCommand>().Ofst = property;
        var completion = await queue.DoAsync($"Reading property {property}", entry, default, false, timeout);
        return size == PropertySize.EightBytes ? completion.Result : completion.Cdw0;
    }

    /// <summary>Writes a property of four bytes.</summary>
    /// <param name="queue">The admin queue.</param>
    /// <param name="property">Which.</param>
    /// <param name="value">Its new value.</param>
    /// <param name="timeout">For the answer.</param>
    public static Task SetPropertyAsync(this NvmeQueue queue, PropertyOffset property, uint value, TimeSpan timeout)
    {
        var entry = new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.FabricsCommands, Fctype = FabricsCommandType.PropertySet };
        entry.As<PropertySetCommand>().Ofst = property;
        entry.As<PropertySetCommand>().Value = value;
        return queue.DoAsync($"Writing property {property}", entry, default, false, timeout);
    }

    /// <summary>Enables the controller and waits until it is ready, for as long as it says that may take (NVMe Base Specification 2.0, 3.5.2).</summary>
    /// <param name="queue">The admin queue.</param>
    /// <param name="capabilities">Its capabilities.</param>
    /// <param name="timeout">For each answer.</param>
    /// <exception cref="SpindleException">ETIMEDOUT: it did not become ready. EIO: it says that it has failed.</exception>
    public static async Task EnableAsync(this NvmeQueue queue, ControllerCapabilities capabilities, TimeSpan timeout)
    {
        var configuration = new ControllerConfiguration { En = true, Iosqes = 6, Iocqes = 4 };
        await queue.SetPropertyAsync(PropertyOffset.Cc, configuration.Raw, timeout);
        var until = DateTime.UtcNow + TimeSpan.FromMilliseconds(Math.Max((int)capabilities.To, 1) * 500);
        while (true)
        {
            var status = new ControllerStatus((uint)await queue.GetPropertyAsync(PropertyOffset.Csts, PropertySize.FourBytes, timeout));
            if (status.Cfs) throw new SpindleException(Errno.EIO, "The controller says that it has failed (CSTS.CFS).");
            if (status.Rdy) return;
            if (DateTime.UtcNow > until) throw new SpindleException(Errno.ETIMEDOUT, $"The controller did not become ready in the {Math.Max((int)capabilities.To, 1) * 500} ms that it says it needs.");
            await Task.Delay(10);
        }
    }
}
