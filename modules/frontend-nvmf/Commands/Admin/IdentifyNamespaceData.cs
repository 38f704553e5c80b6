using System.Numerics;
using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Nvme.Identify;
using Spindle.Nvme.LogPages;

namespace Spindle.Frontend.Nvmf.Commands.Admin;

/// <summary>The contents of Identify Namespace.</summary>
internal static class IdentifyNamespaceData
{
    private const byte ExtendedMetadata = 1 << 4;
    private const byte ProtectionAtHead = 1 << 3;
    private const byte StorageTagSupport = 1 << 0, StorageTagCheckRead = 1 << 2;

    /// <summary>Fills the structure, which is zeroed before.</summary>
    public static void Fill(NvmfController controller, NvmfNamespace ns, ref IdentifyNamespace data)
    {
        Bdev bdev = ns.Bdev;
        ulong blocks = bdev.BlockCount;
        data.Nsze = blocks;
        data.Ncap = blocks;
        data.Nuse = blocks;
        data.Nvmcap = (UInt128)blocks * ns.DataBlockSize;
        data.Nmic = NamespaceSharing.Shared;
        data.Nguid = ns.Nguid;
        data.Eui64 = ns.Eui64;
        data.Lbaf[0].Lbads = (byte)BitOperations.Log2(ns.DataBlockSize);
        data.Lbaf[0].Ms = (ushort)ns.MetadataSize;
        if (ns.MetadataSize != 0) FillMetadata(bdev, ref data);
        FillSizes(controller, ns, bdev, ref data);
        if (!controller.Subsystem.Options.AnaReporting) return;
        data.Anagrpid = ns.AnaGroupId;
        if (controller.GetAnaState(ns.AnaGroupId) is AnaState.Inaccessible or AnaState.PersistentLoss) data.Nuse = 0;
    }

    /// <summary>Fills the NVM Command Set's part, which is zeroed before: all zero is the 16-bit guard, without storage tags.</summary>
    public static void Fill(NvmfNamespace ns, ref IdentifyNamespaceNvm data)
    {
        if (!ns.HasProtection || ns.Bdev.DifFormat == DifFormat.Guard16) return;
        data.Pic = StorageTagSupport | StorageTagCheckRead;
        // Of the 80 bits beside a 32-bit guard at least 16 are storage tag; these are zero here, and not looked at.
        data.Elbaf0 = (ns.Bdev.DifFormat == DifFormat.Guard32 ? 16u : 0) | (uint)ns.Bdev.DifFormat << 7;
    }

    private static void FillMetadata(Bdev bdev, ref IdentifyNamespace data)
    {
        data.Flbas = ExtendedMetadata;
        data.Mc = MetadataCapabilities.ExtendedDataLba;
        if (bdev.DifType == DifType.None) return;
        data.Dpc = bdev.DifType switch
        {
            DifType.Type1 => DataProtectionCapabilities.Type1,
            DifType.Type2 => DataProtectionCapabilities.Type2,
            _ => DataProtectionCapabilities.Type3,
        } | (bdev.DifIsHeadOfMetadata ? DataProtectionCapabilities.FirstBytesOfMetadata : DataProtectionCapabilities.LastBytesOfMetadata);
        data.Dps = (byte)((byte)bdev.DifType | (bdev.DifIsHeadOfMetadata ? ProtectionAtHead : 0));
    }

    private static void FillSizes(NvmfController controller, NvmfNamespace ns, Bdev bdev, ref IdentifyNamespace data)
    {
        uint physical = Math.Max(bdev.PhysicalBlockSize, ns.DataBlockSize);
        ushort granularity = ZeroBased(physical / ns.DataBlockSize);
        uint transferBlocks = Math.Max(controller.Transport.Options.MaxIoSize / ns.DataBlockSize, 1);
        // Linux takes the smaller of NAWUPF and NPWG for the physical block size.
        data.Nsfeat = NamespaceFeatures.OptimalPerformance | NamespaceFeatures.AtomicUnits;
        data.Nawupf = granularity;
        data.Npwg = granularity;
        data.Npwa = granularity;
        data.Npdg = granularity;
        data.Npda = granularity;
        data.Nows = ZeroBased(transferBlocks);
        data.Nacwu = bdev.AtomicCompareAndWriteBlocks == 0 ? (ushort)0 : (ushort)(bdev.AtomicCompareAndWriteBlocks - 1);
        // Linux splits at NOIOB and cannot do so above MDTS.
        // At zones it splits anyway, and takes no other boundary.
        if (bdev.WriteUnitBlocks <= 1 && !ns.IsZoned) data.Noiob = (ushort)Math.Min(Math.Min(bdev.OptimalIoBoundary, transferBlocks), ushort.MaxValue);
    }

    private static ushort ZeroBased(uint count) => (ushort)(Math.Clamp(count, 1, 65536) - 1);
}
