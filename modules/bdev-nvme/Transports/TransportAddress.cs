using System.Net;
using System.Net.Sockets;
using Spindle.Rpc;

namespace Spindle.Bdev.Nvme.Transports;

/// <summary>Where a controller is, in the words of the RPCs (SPDK's transport identifier).</summary>
/// <param name="Trtype">The transport, in capitals.</param>
/// <param name="Traddr">The address.</param>
/// <param name="Trsvcid">The port.</param>
/// <param name="Subnqn">The subsystem.</param>
internal sealed record TransportAddress(string Trtype, string Traddr, string Trsvcid, string Subnqn)
{
    /// <summary>"IPv4" or "IPv6", by the address.</summary>
    internal string Adrfam => EndPoint.AddressFamily == AddressFamily.InterNetworkV6 ? "IPv6" : "IPv4";

    internal IPEndPoint EndPoint => new(IPAddress.Parse(Traddr), int.Parse(Trsvcid, System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>The same way into the network, whatever the subsystem.</summary>
    internal bool SamePath(TransportAddress other) => EndPoint.Equals(other.EndPoint);

    /// <summary>Its members, into an object that the caller has begun.</summary>
    internal void Write(IRpcWriter writer)
    {
        writer.Name("trtype");
        writer.String(Trtype);
        writer.Name("adrfam");
        writer.String(Adrfam);
        writer.Name("traddr");
        writer.String(Traddr);
        writer.Name("trsvcid");
        writer.String(Trsvcid);
        writer.Name("subnqn");
        writer.String(Subnqn);
    }

    public override string ToString() => $"{Trtype} {EndPoint} {Subnqn}";
}
