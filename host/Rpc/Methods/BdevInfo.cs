using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Host.Rpc.Json;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>A bdev as <c>bdev_get_bdevs</c> shows it, with SPDK's members in SPDK's order.</summary>
internal sealed class BdevInfo(Bdev bdev, ILogger logger) : IRpcResult
{
    public void Write(IRpcWriter w)
    {
        w.BeginObject();
        Text(w, "name", bdev.Name);
        w.Name("aliases");
        w.BeginArray();
        var uuid = bdev.Uuid.ToString();
        foreach (var alias in bdev.Aliases.Append(uuid).Where(a => a != bdev.Name).Distinct())
        {
            w.String(alias);
        }
        w.EndArray();
        Text(w, "product_name", bdev.ProductName);
        Number(w, "block_size", bdev.BlockSize);
        Number(w, "num_blocks", bdev.BlockCount);
        Number(w, "preferred_write_alignment", 0);
        Number(w, "preferred_write_granularity", 0);
        Number(w, "optimal_write_size", 0);
        Number(w, "preferred_unmap_alignment", 0);
        Number(w, "preferred_unmap_granularity", 0);
        Text(w, "uuid", uuid);
        w.Name("numa_id");
        w.Number(-1L);
        WriteMetadata(w);
        WriteLimits(w);
        WriteClaim(w);
        WriteZones(w);
        WriteTypes(w);
        w.Name("driver_specific");
        DriverSpecific().Write(w);
        w.EndObject();
    }

    void WriteMetadata(IRpcWriter w)
    {
        if (bdev.MetadataSize == 0)
        {
            return;
        }
        Number(w, "md_size", bdev.MetadataSize);
        Boolean(w, "md_interleave", bdev.MetadataInterleaved);
        Number(w, "dif_type", (ulong)bdev.DifType);
        if (bdev.DifType == DifType.None)
        {
            return;
        }
        Boolean(w, "dif_is_head_of_md", bdev.DifIsHeadOfMetadata);
        w.Name("enabled_dif_check_types");
        w.BeginObject();
        Boolean(w, "reftag", bdev.DifCheckFlags.HasFlag(DifCheckFlags.ReferenceTag));
        Boolean(w, "apptag", bdev.DifCheckFlags.HasFlag(DifCheckFlags.ApplicationTag));
        Boolean(w, "guard", bdev.DifCheckFlags.HasFlag(DifCheckFlags.Guard));
        w.EndObject();
        Number(w, "dif_pi_format", (ulong)bdev.DifFormat);
    }

    void WriteLimits(IRpcWriter w)
    {
        var limits = BdevRegistry.GetRateLimits(bdev);
        w.Name("assigned_rate_limits");
        w.BeginObject();
        Number(w, "rw_ios_per_sec", limits.ReadWriteIosPerSecond);
        Number(w, "rw_mbytes_per_sec", limits.ReadWriteMegabytesPerSecond);
        Number(w, "r_mbytes_per_sec", limits.ReadMegabytesPerSecond);
        Number(w, "w_mbytes_per_sec", limits.WriteMegabytesPerSecond);
        w.EndObject();
    }

    void WriteClaim(IRpcWriter w)
    {
        var claim = BdevRegistry.GetClaim(bdev);
        Boolean(w, "claimed", claim.Type != BdevClaimType.None);
        if (claim.Type != BdevClaimType.None)
        {
            Text(w, "claim_type", claim.WireName);
        }
    }

    void WriteZones(IRpcWriter w)
    {
        Boolean(w, "zoned", bdev.IsZoned);
        if (!bdev.IsZoned)
        {
            return;
        }
        Number(w, "zone_size", bdev.ZoneSizeBlocks);
        Number(w, "max_open_zones", bdev.MaxOpenZones);
        Number(w, "optimal_open_zones", bdev.OptimalOpenZones);
    }

    void WriteTypes(IRpcWriter w)
    {
        w.Name("supported_io_types");
        w.BeginObject();
        foreach (var (name, type) in BdevIoTypeNames.All)
        {
            // Write zeroes are emulated by writes, which SPDK counts as supported.
            Boolean(w, name, type != BdevIoType.Invalid && (bdev.Supports(type) || (type == BdevIoType.WriteZeroes && bdev.Supports(BdevIoType.Write))));
        }
        w.EndObject();
    }

    /// <summary>What the module adds; an empty object when it fails, so that one module's fault hides nobody else's bdevs.</summary>
    RpcJsonText DriverSpecific()
    {
        try
        {
            return RpcJsonText.Capture(w =>
            {
                w.BeginObject();
                bdev.DumpInfo(w);
                w.EndObject();
            });
        }
        catch (Exception exception)
        {
            logger.LogError("Module {Module} failed to describe bdev {Bdev}: {Text}", bdev.ModuleName, bdev.Name, exception.ToString());
            return new RpcJsonText("{}"u8.ToArray());
        }
    }

    static void Text(IRpcWriter w, string name, string value)
    {
        w.Name(name);
        w.String(value);
    }

    static void Number(IRpcWriter w, string name, ulong value)
    {
        w.Name(name);
        w.Number(value);
    }

    static void Boolean(IRpcWriter w, string name, bool value)
    {
        w.Name(name);
        w.Boolean(value);
    }
}
