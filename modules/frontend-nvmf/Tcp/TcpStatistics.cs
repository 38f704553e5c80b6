using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>Counters of the transport in one poll group. Written on its thread; may be read from any, then of slightly different moments.</summary>
internal sealed class TcpStatistics
{
    /// <summary>Connections that began here.</summary>
    public ulong Connections;
    /// <summary>Receive operations that completed.</summary>
    public ulong Receives;
    /// <summary>Send operations that completed.</summary>
    public ulong Sends;
    /// <summary>Command capsules.</summary>
    public ulong Capsules;
    /// <summary>Commands that had to wait for data buffers.</summary>
    public ulong BufferWaits;
    /// <summary>Data digests that were wrong.</summary>
    public ulong DataDigestErrors;
    /// <summary>Connections ended by C2HTermReq.</summary>
    public ulong Terminations;
    /// <summary>Connections ended because no ICReq or Connect came in time.</summary>
    public ulong HandshakeTimeouts;

    /// <summary>Writes them as members of an object.</summary>
    public void Write(IRpcWriter writer)
    {
        Write(writer, "connections", Connections);
        Write(writer, "receives", Receives);
        Write(writer, "sends", Sends);
        Write(writer, "capsules", Capsules);
        Write(writer, "pending_data_buffer", BufferWaits);
        Write(writer, "data_digest_errors", DataDigestErrors);
        Write(writer, "terminations", Terminations);
        Write(writer, "handshake_timeouts", HandshakeTimeouts);
    }

    private static void Write(IRpcWriter writer, string name, ulong value)
    {
        writer.Name(name);
        writer.Number(value);
    }
}
