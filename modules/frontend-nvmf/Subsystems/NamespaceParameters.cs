using Spindle.Nvme;

namespace Spindle.Frontend.Nvmf.Subsystems;

/// <summary>What a namespace is made from (<c>nvmf_subsystem_add_ns</c>).</summary>
/// <param name="BdevName">Name, alias or UUID of the bdev.</param>
/// <param name="Nsid">The NSID; 0: the smallest free one.</param>
/// <param name="Nguid">NGUID; all zeroes: the UUID's bytes.</param>
/// <param name="Eui64">EUI-64; all zeroes: none.</param>
/// <param name="Uuid">UUID; empty: the bdev's.</param>
/// <param name="AnaGroupId">ANA group; 0: as the NSID.</param>
/// <param name="HideMetadata">Hosts see the data alone; the bdev layer makes and verifies protection information.</param>
internal sealed record NamespaceParameters(string BdevName, uint Nsid = 0, UuidBytes Nguid = default, Bytes8 Eui64 = default, Guid Uuid = default, uint AnaGroupId = 0, bool HideMetadata = false);
