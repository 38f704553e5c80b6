using System.Runtime.CompilerServices;

namespace Spindle.Nvme;

/// <summary>8 bytes inside a structure; converts to <c>Span&lt;byte&gt;</c>.</summary>
[InlineArray(8)]
public struct Bytes8 { private byte element0; }

/// <summary>16 bytes inside a structure: UUID, NGUID, Host Identifier; big-endian as the protocol sends them.</summary>
[InlineArray(16)]
public struct UuidBytes
{
    private byte element0;

    /// <summary>From a UUID, in RFC 4122 byte order, as NVMe sends it.</summary>
    public static UuidBytes FromGuid(Guid value)
    {
        UuidBytes bytes = default;
        value.TryWriteBytes(bytes, bigEndian: true, out _);
        return bytes;
    }

    /// <summary>As a UUID, read in RFC 4122 byte order.</summary>
    public readonly Guid ToGuid()
    {
        ReadOnlySpan<byte> bytes = this;
        return new Guid(bytes, bigEndian: true);
    }
}

/// <summary>20 bytes inside a structure.</summary>
[InlineArray(20)]
public struct Bytes20 { private byte element0; }

/// <summary>32 bytes inside a structure.</summary>
[InlineArray(32)]
public struct Bytes32 { private byte element0; }

/// <summary>40 bytes inside a structure.</summary>
[InlineArray(40)]
public struct Bytes40 { private byte element0; }

/// <summary>256 bytes inside a structure: an NQN or a transport address field.</summary>
[InlineArray(256)]
public struct Bytes256 { private byte element0; }
