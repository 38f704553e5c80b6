using Spindle.Nvme;
using Spindle.Nvme.Tcp;

namespace Spindle.NvmfTests.Initiator;

/// <summary>A whole PDU from the target, checked for framing and digests.</summary>
public sealed class ReceivedPdu(byte[] bytes, int dataOffset, int dataLength)
{
    public byte[] Bytes { get; } = bytes;
    public PduHeader Header => WireBuffer.Read<PduHeader>(Bytes);
    public PduType Type => Header.PduType;
    public PduFlags Flags => Header.Flags;
    public ReadOnlyMemory<byte> Data => Bytes.AsMemory(dataOffset, dataLength);

    /// <summary>The PDU-specific header.</summary>
    public T As<T>() where T : unmanaged => WireBuffer.Read<T>(Bytes);
}
