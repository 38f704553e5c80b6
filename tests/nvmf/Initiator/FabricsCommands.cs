using Spindle.Nvme;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Fabrics;
using Spindle.Nvme.Registers;

namespace Spindle.NvmfTests.Initiator;

/// <summary>Fabrics commands, filled in.</summary>
public static class FabricsCommands
{
    public static SubmissionQueueEntry Connect(ushort qid, ushort sqsize, uint kato, ConnectAttributes cattr = ConnectAttributes.None)
    {
        SubmissionQueueEntry sqe = Fabrics(FabricsCommandType.Connect);
        ref ConnectCommand connect = ref sqe.As<ConnectCommand>();
        connect.Qid = qid;
        connect.Sqsize = sqsize;
        connect.Kato = kato;
        connect.Cattr = cattr;
        return sqe;
    }

    public static byte[] ConnectData(string hostnqn, string subnqn, Guid hostid, ushort cntlid)
    {
        byte[] bytes = new byte[Spindle.Nvme.Fabrics.ConnectData.Size];
        ref ConnectData data = ref WireBuffer.Ref<ConnectData>(bytes);
        data.Hostid = UuidBytes.FromGuid(hostid);
        data.Cntlid = cntlid;
        Nqn.Write(data.Subnqn, subnqn);
        Nqn.Write(data.Hostnqn, hostnqn);
        return bytes;
    }

    public static SubmissionQueueEntry PropertyGet(PropertyOffset offset, PropertySize size)
    {
        SubmissionQueueEntry sqe = Fabrics(FabricsCommandType.PropertyGet);
        ref PropertyGetCommand get = ref sqe.As<PropertyGetCommand>();
        get.Attrib = (byte)size;
        get.Ofst = offset;
        return sqe;
    }

    public static SubmissionQueueEntry PropertySet(PropertyOffset offset, PropertySize size, ulong value)
    {
        SubmissionQueueEntry sqe = Fabrics(FabricsCommandType.PropertySet);
        ref PropertySetCommand set = ref sqe.As<PropertySetCommand>();
        set.Attrib = (byte)size;
        set.Ofst = offset;
        set.Value = value;
        return sqe;
    }

    public static SubmissionQueueEntry Disconnect() => Fabrics(FabricsCommandType.Disconnect);

    private static SubmissionQueueEntry Fabrics(FabricsCommandType type) => new() { Opcode = (byte)AdminOpcode.FabricsCommands, Fctype = type };
}
