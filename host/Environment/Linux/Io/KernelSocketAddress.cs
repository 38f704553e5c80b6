using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Spindle.Host.Environments.Linux.Interop;

namespace Spindle.Host.Environments.Linux.Io;

/// <summary>End points to struct sockaddr_in, _in6 and _un, and back.</summary>
internal static unsafe class KernelSocketAddress
{
    /// <summary>sun_path, with its terminating zero.</summary>
    private const int MaxUnixPath = 108;

    /// <summary>Writes the address.</summary>
    /// <param name="endPoint">IPv4, IPv6 or Unix.</param>
    /// <param name="buffer"><see cref="Libc.MaxSocketAddress"/> zeroed bytes.</param>
    /// <param name="family">AF_INET, AF_INET6 or AF_UNIX.</param>
    /// <returns>The address's length in bytes.</returns>
    /// <exception cref="SpindleException">EINVAL: the end point is of no kind that streams can use.</exception>
    internal static uint Write(EndPoint endPoint, Span<byte> buffer, out int family)
    {
        switch (endPoint)
        {
            case IPEndPoint { AddressFamily: AddressFamily.InterNetwork } v4:
                family = Libc.AF_INET;
                BitConverter.TryWriteBytes(buffer, (ushort)family);
                BinaryPrimitives.WriteUInt16BigEndian(buffer[2..], (ushort)v4.Port);
                v4.Address.TryWriteBytes(buffer[4..], out _);
                return 16;
            case IPEndPoint { AddressFamily: AddressFamily.InterNetworkV6 } v6:
                family = Libc.AF_INET6;
                BitConverter.TryWriteBytes(buffer, (ushort)family);
                BinaryPrimitives.WriteUInt16BigEndian(buffer[2..], (ushort)v6.Port);
                v6.Address.TryWriteBytes(buffer[8..], out _);
                BitConverter.TryWriteBytes(buffer[24..], (uint)v6.Address.ScopeId);
                return 28;
            case UnixDomainSocketEndPoint unix:
                family = Libc.AF_UNIX;
                BitConverter.TryWriteBytes(buffer, (ushort)family);
                var path = unix.ToString() ?? "";
                var abstractName = path.StartsWith('@');
                var length = Encoding.UTF8.GetByteCount(path);
                if (length == 0 || length >= MaxUnixPath)
                    throw new SpindleException(Errno.EINVAL, $"The socket path '{path}' must have 1 to {MaxUnixPath - 1} bytes.");
                Encoding.UTF8.GetBytes(path, buffer[2..]);
                if (!abstractName) return (uint)(2 + length + 1);
                buffer[2] = 0;
                return (uint)(2 + length);
            default:
                throw new SpindleException(Errno.EINVAL, $"'{endPoint}' is not an IPv4, IPv6 or Unix socket address.");
        }
    }

    /// <summary>Asks the kernel for the local or the peer's address.</summary>
    internal static EndPoint Ask(int fd, bool peer)
    {
        var buffer = stackalloc byte[Libc.MaxSocketAddress];
        uint length = Libc.MaxSocketAddress;
        var result = peer ? Libc.getpeername(fd, buffer, &length) : Libc.getsockname(fd, buffer, &length);
        // A peer that has gone has no name any more.
        return result < 0 ? new IPEndPoint(IPAddress.None, 0) : Read(new ReadOnlySpan<byte>(buffer, (int)Math.Min(length, Libc.MaxSocketAddress)));
    }

    private static EndPoint Read(ReadOnlySpan<byte> address)
    {
        var family = address.Length < 2 ? 0 : BitConverter.ToUInt16(address);
        switch (family)
        {
            case Libc.AF_INET:
                return new IPEndPoint(new IPAddress(address[4..8]), BinaryPrimitives.ReadUInt16BigEndian(address[2..]));
            case Libc.AF_INET6:
                return new IPEndPoint(new IPAddress(address[8..24], BitConverter.ToUInt32(address[24..])), BinaryPrimitives.ReadUInt16BigEndian(address[2..]));
            default:
                var path = address.Length > 2 ? address[2..] : [];
                if (path.IsEmpty) return new UnixDomainSocketEndPoint("@");
                if (path[0] == 0) return new UnixDomainSocketEndPoint("@" + Encoding.UTF8.GetString(path[1..]));
                var end = path.IndexOf((byte)0);
                return new UnixDomainSocketEndPoint(Encoding.UTF8.GetString(end < 0 ? path : path[..end]));
        }
    }
}
