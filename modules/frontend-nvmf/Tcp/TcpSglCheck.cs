using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>Checks a command's SGL against what NVMe/TCP has: data in the capsule, by offset, or a transport data block (NVMe over Fabrics 1.1,
/// section 2.3; NVMe TCP Transport Specification 1.0, section 3.3.2).</summary>
internal static class TcpSglCheck
{
    /// <summary>A command whose capsule carries no data.</summary>
    [DataPath]
    public static StatusField Check(in SglDescriptor sgl, in NvmfDataTransfer transfer)
    {
        if (transfer.Direction == DataTransferDirection.None) return StatusField.Success;
        if (!sgl.IsTransportDataBlock)
        {
            // In-capsule data was announced, but the capsule has none.
            return sgl.IsInCapsule && transfer.Direction == DataTransferDirection.HostToController
                ? new StatusField(GenericStatusCode.DataSglLengthInvalid, dnr: true)
                : new StatusField(GenericStatusCode.SglDescriptorTypeInvalid, dnr: true);
        }
        return transfer.Length > transfer.MaxLength ? new StatusField(GenericStatusCode.DataSglLengthInvalid, dnr: true) : StatusField.Success;
    }

    /// <summary>A command whose capsule carries <paramref name="dataLength"/> bytes. For one that moves no data, success: the bytes mean nothing.</summary>
    [DataPath]
    public static StatusField CheckInCapsule(in SglDescriptor sgl, in NvmfDataTransfer transfer, uint dataLength)
    {
        if (transfer.Direction == DataTransferDirection.None) return StatusField.Success;
        // Data in the capsule that the SGL does not name.
        if (sgl.IsTransportDataBlock) return new StatusField(GenericStatusCode.DataSglLengthInvalid, dnr: true);
        if (!sgl.IsInCapsule || transfer.Direction != DataTransferDirection.HostToController)
            return new StatusField(GenericStatusCode.SglDescriptorTypeInvalid, dnr: true);
        if (sgl.Address > dataLength) return new StatusField(GenericStatusCode.SglOffsetInvalid, dnr: true);
        return transfer.Length > dataLength - sgl.Address ? new StatusField(GenericStatusCode.DataSglLengthInvalid, dnr: true) : StatusField.Success;
    }
}
