using System.Net;
using Spindle.Nvme.LogPages;

namespace Spindle.Frontend.Nvmf.Transport;

/// <summary>Where a transport listens, or a peer is: what NVMe calls a transport identifier.</summary>
/// <param name="TransportType">The transport (TRTYPE).</param>
/// <param name="AddressFamily">The address family (ADRFAM).</param>
/// <param name="Address">The transport address (TRADDR): for TCP an IP address.</param>
/// <param name="ServiceId">The transport service identifier (TRSVCID): for TCP a port number in decimal.</param>
public sealed record NvmfTransportAddress(TransportType TransportType, AddressFamily AddressFamily, string Address, string ServiceId)
{
    /// <summary>The transport's name on the wire of the RPCs: "TCP", "RDMA" …</summary>
    public string TransportName => TransportType switch
    {
        TransportType.Tcp => "TCP",
        TransportType.Rdma => "RDMA",
        TransportType.FibreChannel => "FC",
        _ => "CUSTOM",
    };

    /// <summary>The address family's name: "IPv4", "IPv6" …</summary>
    public string FamilyName => AddressFamily switch
    {
        AddressFamily.Ipv4 => "IPv4",
        AddressFamily.Ipv6 => "IPv6",
        AddressFamily.InfiniBand => "IB",
        AddressFamily.FibreChannel => "FC",
        _ => "INTRA_HOST",
    };

    /// <summary>The address of a TCP end point; a Unix socket or other end point gives its text and no service.</summary>
    public static NvmfTransportAddress FromEndPoint(TransportType type, EndPoint endPoint) => endPoint is IPEndPoint ip
        ? new(type, ip.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? AddressFamily.Ipv6 : AddressFamily.Ipv4,
            ip.Address.ToString(), ip.Port.ToString(System.Globalization.CultureInfo.InvariantCulture))
        : new(type, AddressFamily.IntraHost, endPoint.ToString() ?? "", "");

    /// <summary>True when both name the same place; text is compared without regard to case, as SPDK does.</summary>
    public bool Matches(NvmfTransportAddress other) => TransportType == other.TransportType && AddressFamily == other.AddressFamily
        && string.Equals(Address, other.Address, StringComparison.OrdinalIgnoreCase)
        && string.Equals(ServiceId, other.ServiceId, StringComparison.OrdinalIgnoreCase);

    /// <summary>"TCP 127.0.0.1:4420", for people.</summary>
    public override string ToString() => AddressFamily == AddressFamily.Ipv6
        ? $"{TransportName} [{Address}]:{ServiceId}" : $"{TransportName} {Address}:{ServiceId}";
}
