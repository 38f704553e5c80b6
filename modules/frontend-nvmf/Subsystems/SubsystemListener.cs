using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.LogPages;

namespace Spindle.Frontend.Nvmf.Subsystems;

/// <summary>An address at which a subsystem may be reached: a port, in NVMe's words, with the ANA state of each group as seen from there.</summary>
internal sealed class SubsystemListener
{
    private readonly byte[] _anaStates;

    public SubsystemListener(ushort portId, NvmfTransport transport, NvmfTransportAddress address, uint anaGroups, AnaState state)
    {
        PortId = portId;
        Transport = transport;
        Address = address;
        _anaStates = new byte[anaGroups];
        Array.Fill(_anaStates, (byte)state);
    }

    /// <summary>Port ID in discovery entries, unique in the subsystem.</summary>
    public ushort PortId { get; }

    /// <summary>The transport that listens.</summary>
    public NvmfTransport Transport { get; }

    /// <summary>The address, as the transport gave it.</summary>
    public NvmfTransportAddress Address { get; }

    /// <summary>"secure_channel" of <c>nvmf_subsystem_add_listener</c> was given; always false while no transport has TLS.</summary>
    public bool SecureChannel => false;

    /// <summary>False once it is being removed.</summary>
    public bool IsActive { get; set; } = true;

    /// <summary>The ANA groups there are: 1 to this.</summary>
    public uint AnaGroups => (uint)_anaStates.Length;

    /// <summary>The state of a group, from 1; Optimized for one that does not exist. On any thread.</summary>
    [DataPath]
    public AnaState GetAnaState(uint group)
    {
        byte[] states = _anaStates;
        return group - 1 < (uint)states.Length ? (AnaState)Volatile.Read(ref states[group - 1]) : AnaState.Optimized;
    }

    /// <summary>Sets the state of a group, or of all with 0. On the app thread.</summary>
    public void SetAnaState(uint group, AnaState state)
    {
        for (int i = 0; i < _anaStates.Length; i++)
        {
            if (group == 0 || group == (uint)i + 1) Volatile.Write(ref _anaStates[i], (byte)state);
        }
    }
}
