namespace Spindle.Frontend.Nvmf.Transport;

/// <summary>The transport types that this module has.</summary>
public static class NvmfTransports
{
    /// <summary>One factory for each type.</summary>
    public static IReadOnlyList<INvmfTransportFactory> All { get; } = [new Tcp.TcpTransportFactory()];

    /// <summary>The factory of a type by its name, in any case; null when there is none.</summary>
    public static INvmfTransportFactory? Find(string name)
    {
        foreach (INvmfTransportFactory factory in All)
        {
            if (string.Equals(factory.Name, name, StringComparison.OrdinalIgnoreCase)) return factory;
        }
        return null;
    }
}
