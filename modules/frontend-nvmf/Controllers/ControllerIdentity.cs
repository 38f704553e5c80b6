using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme;

namespace Spindle.Frontend.Nvmf.Controllers;

/// <summary>Who asked for a controller, and how: from the admin queue's Connect command.</summary>
/// <param name="HostNqn">The host's name.</param>
/// <param name="HostId">The host identifier.</param>
/// <param name="Listener">The subsystem's listener there; null at a discovery subsystem that does not have the address.</param>
/// <param name="ListenAddress">The address where it came in.</param>
/// <param name="KeepAliveTimeout">Milliseconds, as asked for; 0: none.</param>
internal sealed record ControllerIdentity(string HostNqn, UuidBytes HostId, SubsystemListener? Listener, NvmfTransportAddress ListenAddress, uint KeepAliveTimeout);
