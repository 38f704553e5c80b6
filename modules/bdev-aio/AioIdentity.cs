using System.Security.Cryptography;
using System.Text;

namespace Spindle.Bdev.Aio;

/// <summary>
/// The UUID of a bdev that was given none. What is in a file outlives the process, so the disk's identity has to as well: a connected
/// initiator takes a namespace that comes back under another UUID for another disk, and fails all I/O to the one it knew.
/// </summary>
internal static class AioIdentity
{
    private static readonly Guid s_namespace = new("3d0f6a5e-8a1c-4b0e-9a57-6b1d2f6f4c11");

    /// <summary>The same for the same file under the same name on the same machine, and for nothing else.</summary>
    /// <param name="name">The bdev's name: a file may be open twice.</param>
    /// <param name="filename">Path of the file.</param>
    internal static Guid Of(string name, string filename) => Of(MachineId(), Environment.MachineName, name, Path.GetFullPath(filename));

    /// <summary>A version 5 UUID (RFC 9562, 5.5) of all parts.</summary>
    internal static Guid Of(params ReadOnlySpan<string> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1); // an identity, not a secret
        hash.AppendData(s_namespace.ToByteArray(bigEndian: true));
        foreach (var part in parts)
        {
            hash.AppendData(Encoding.UTF8.GetBytes(part));
            hash.AppendData([0]); // "a", "bc" is not "ab", "c"
        }
        Span<byte> uuid = hash.GetHashAndReset().AsSpan(0, 16);
        uuid[6] = (byte)(uuid[6] & 0x0f | 0x50);
        uuid[8] = (byte)(uuid[8] & 0x3f | 0x80);
        return new Guid(uuid, bigEndian: true);
    }

    // Machines made from one image may share it, and containers have none: that is why the host's name is a part as well.
    private static string MachineId()
    {
        try { return File.ReadAllText("/etc/machine-id").Trim(); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return ""; }
    }
}
