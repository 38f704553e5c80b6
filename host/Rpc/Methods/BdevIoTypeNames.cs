using Spindle.Bdevs;

namespace Spindle.Host.Rpc.Methods;

/// <summary>The types of I/O by SPDK's names, in SPDK's order. Those that there are only in SPDK are <see cref="BdevIoType.Invalid"/>.</summary>
internal static class BdevIoTypeNames
{
    public static IReadOnlyList<(string Name, BdevIoType Type)> All { get; } =
    [
        ("read", BdevIoType.Read), ("write", BdevIoType.Write), ("unmap", BdevIoType.Unmap), ("flush", BdevIoType.Flush), ("reset", BdevIoType.Reset),
        ("nvme_admin", BdevIoType.NvmeAdmin), ("nvme_io", BdevIoType.NvmeIo), ("nvme_io_md", BdevIoType.NvmeIoMd), ("write_zeroes", BdevIoType.WriteZeroes),
        ("zcopy", BdevIoType.Zcopy), ("get_zone_info", BdevIoType.GetZoneInfo), ("zone_management", BdevIoType.ZoneManagement), ("zone_append", BdevIoType.ZoneAppend),
        ("compare", BdevIoType.Compare), ("compare_and_write", BdevIoType.CompareAndWrite), ("abort", BdevIoType.Abort), ("seek_hole", BdevIoType.SeekHole),
        ("seek_data", BdevIoType.SeekData), ("copy", BdevIoType.Copy), ("nvme_iov_md", BdevIoType.Invalid), ("nvme_nssr", BdevIoType.Invalid),
        ("write_uncorrectable", BdevIoType.Invalid),
    ];

    /// <summary>The type of a name; null when there is none.</summary>
    public static BdevIoType? Find(string name)
    {
        foreach (var (known, type) in All)
        {
            if (known == name && type != BdevIoType.Invalid)
            {
                return type;
            }
        }
        return null;
    }

    /// <summary>The name of a type.</summary>
    public static string Of(BdevIoType type) => All.First(n => n.Type == type).Name;
}
