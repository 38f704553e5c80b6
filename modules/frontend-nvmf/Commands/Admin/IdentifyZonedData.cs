using System.Numerics;
using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Nvme.Zoned;

namespace Spindle.Frontend.Nvmf.Commands.Admin;

/// <summary>The Zoned Namespace command set's own structures of Identify, and what it announces.</summary>
internal static class IdentifyZonedData
{
    private const uint PageSize = 4096;

    /// <summary>Fills a namespace's structure, which is zeroed before.</summary>
    public static void Fill(NvmfNamespace ns, ref IdentifyNamespaceZoned data)
    {
        Bdev bdev = ns.Bdev;
        // The bdev layer splits reads at zones.
        data.Ozcs = OptionalZonedCommandSupport.ReadAcrossZoneBoundaries;
        // 0's based; no limit, which a bdev has as 0, is all ones.
        data.Mar = unchecked(bdev.MaxActiveZones - 1);
        data.Mor = unchecked(bdev.MaxOpenZones - 1);
        data.Lbafe[0].Zsze = bdev.ZoneSizeBlocks;
    }

    /// <summary>Fills the controller's structure, which is zeroed before.</summary>
    public static void Fill(NvmfController controller, ref IdentifyControllerZoned data)
    {
        // ZASL is one for the controller: the least that any namespace takes. 0 stands for MDTS, so that 2 pages are the least there can be.
        uint largest = controller.Transport.Options.MaxIoSize;
        ulong least = largest;
        foreach (NvmfNamespace ns in controller.Subsystem.View.Namespaces)
            if (ns.IsZoned && ns.Bdev.MaxZoneAppendBlocks != 0) least = Math.Min(least, (ulong)ns.Bdev.MaxZoneAppendBlocks * ns.DataBlockSize);
        data.Zasl = least >= largest ? (byte)0 : (byte)BitOperations.Log2(Math.Max(least / PageSize, 2));
    }

    /// <summary>All zoned namespaces of the subsystem carry out zone appends; a host has to do without where one does not.</summary>
    public static bool SupportsAppend(NvmfSubsystem subsystem) => !Array.Exists(subsystem.View.Namespaces, static ns => ns.IsZoned && !ns.CanAppend);
}
