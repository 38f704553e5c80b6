using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.LogPages;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>Named members in one call.</summary>
internal static class JsonMembers
{
    /// <summary>A string.</summary>
    public static void Member(this IRpcWriter writer, string name, string value)
    {
        writer.Name(name);
        writer.String(value);
    }

    /// <summary>A number.</summary>
    public static void Member(this IRpcWriter writer, string name, ulong value)
    {
        writer.Name(name);
        writer.Number(value);
    }

    /// <summary>True or false.</summary>
    public static void Member(this IRpcWriter writer, string name, bool value)
    {
        writer.Name(name);
        writer.Boolean(value);
    }

    /// <summary>An address, as an object.</summary>
    public static void Member(this IRpcWriter writer, string name, NvmfTransportAddress address)
    {
        writer.Name(name);
        writer.Address(address);
    }

    /// <summary>An address: an object with trtype, adrfam, traddr, trsvcid.</summary>
    public static void Address(this IRpcWriter writer, NvmfTransportAddress address)
    {
        writer.BeginObject();
        writer.Member("trtype", address.TransportName);
        writer.Member("adrfam", address.FamilyName);
        writer.Member("traddr", address.Address);
        writer.Member("trsvcid", address.ServiceId);
        writer.EndObject();
    }

    /// <summary>The name of an ANA state.</summary>
    public static string Name(this AnaState state) => state switch
    {
        AnaState.Optimized => "optimized",
        AnaState.NonOptimized => "non_optimized",
        AnaState.Inaccessible => "inaccessible",
        AnaState.PersistentLoss => "persistent_loss",
        _ => "change",
    };
}
