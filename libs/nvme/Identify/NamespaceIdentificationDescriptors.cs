using Spindle.Nvme.Commands;

namespace Spindle.Nvme.Identify;

/// <summary>
/// Writes a Namespace Identification Descriptor list (CNS 03h; NVMe Base Specification 2.0, Figure 277) into a caller's buffer: each descriptor is
/// NIDT (1 byte), NIDL (1 byte), 2 reserved bytes, then NIDL bytes. The buffer is cleared first, so the list ends with NIDL 0. No allocation.
/// </summary>
public ref struct NamespaceIdentificationDescriptorWriter
{
    private readonly Span<byte> buffer;

    /// <param name="buffer">At least as long as all descriptors written; 4,096 bytes in the protocol.</param>
    public NamespaceIdentificationDescriptorWriter(Span<byte> buffer)
    {
        this.buffer = buffer;
        buffer.Clear();
    }

    /// <summary>Bytes written so far.</summary>
    public int Length { get; private set; }

    /// <summary>Adds one descriptor; false, with nothing written, when it does not fit or its length is not its type's.</summary>
    public bool TryAdd(NamespaceIdentifierType type, scoped ReadOnlySpan<byte> identifier)
    {
        if (identifier.Length != NamespaceIdentificationDescriptor.LengthOf(type) || buffer.Length - Length < 4 + identifier.Length)
        {
            return false;
        }
        buffer[Length] = (byte)type;
        buffer[Length + 1] = (byte)identifier.Length;
        identifier.CopyTo(buffer[(Length + 4)..]);
        Length += 4 + identifier.Length;
        return true;
    }

    /// <summary>Adds the UUID, in RFC 4122 byte order.</summary>
    public bool TryAdd(Guid uuid)
    {
        UuidBytes bytes = UuidBytes.FromGuid(uuid);
        return TryAdd(NamespaceIdentifierType.Uuid, bytes);
    }

    /// <summary>Adds the command set identifier.</summary>
    public bool TryAdd(CommandSetIdentifier csi) => TryAdd(NamespaceIdentifierType.Csi, [(byte)csi]);
}

/// <summary>Reads a Namespace Identification Descriptor list; every length is checked. No allocation.</summary>
public ref struct NamespaceIdentificationDescriptorReader(ReadOnlySpan<byte> list)
{
    private ReadOnlySpan<byte> rest = list;

    /// <summary>
    /// Takes the next descriptor. False at the end of the list (NIDL 0 or no room for a header) and when a descriptor reaches past the buffer.
    /// Unknown types are returned like others.
    /// </summary>
    public bool TryRead(out NamespaceIdentifierType type, out ReadOnlySpan<byte> identifier)
    {
        type = default;
        identifier = default;
        if (rest.Length < 4 || rest[1] == 0 || rest.Length < 4 + rest[1])
        {
            return false;
        }
        type = (NamespaceIdentifierType)rest[0];
        int length = rest[1];
        identifier = rest.Slice(4, length);
        rest = rest[(4 + length)..];
        return true;
    }
}

/// <summary>Facts about identification descriptors.</summary>
public static class NamespaceIdentificationDescriptor
{
    /// <summary>Length in bytes of an identifier of this type; 0 for unknown types.</summary>
    public static int LengthOf(NamespaceIdentifierType type) => type switch
    {
        NamespaceIdentifierType.Eui64 => 8,
        NamespaceIdentifierType.Nguid => 16,
        NamespaceIdentifierType.Uuid => 16,
        NamespaceIdentifierType.Csi => 1,
        _ => 0,
    };
}
