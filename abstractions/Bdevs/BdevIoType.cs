namespace Spindle.Bdevs;

/// <summary>What an I/O asks for.</summary>
public enum BdevIoType : byte
{
    /// <summary>No type; never submitted.</summary>
    Invalid = 0,
    /// <summary>Read blocks into the I/O vectors.</summary>
    Read,
    /// <summary>Write blocks from the I/O vectors.</summary>
    Write,
    /// <summary>Deallocate blocks; what they read as afterwards is the bdev's to say.</summary>
    Unmap,
    /// <summary>Make completed writes durable.</summary>
    Flush,
    /// <summary>Abort everything outstanding and bring the device back to a known state. The host quiesces the bdev around it.</summary>
    Reset,
    /// <summary>Make blocks read as zeroes.</summary>
    WriteZeroes,
    /// <summary>Compare blocks with the I/O vectors; a difference completes with <see cref="BdevIoStatus.Miscompare"/>.</summary>
    Compare,
    /// <summary>Compare with <see cref="BdevIo.CompareIovs"/>, and write <see cref="BdevIo.Iovs"/> if equal, as one atomic step.</summary>
    CompareAndWrite,
    /// <summary>Abort the I/O in <see cref="BdevIo.AbortTarget"/>.</summary>
    Abort,
    /// <summary>Copy blocks within the bdev, from <see cref="BdevIo.CopySourceOffset"/>.</summary>
    Copy,
    /// <summary>Find the next allocated block.</summary>
    SeekData,
    /// <summary>Find the next unallocated block.</summary>
    SeekHole,
    /// <summary>Lend the bdev's own buffer for reading or writing.</summary>
    Zcopy,
    /// <summary>An NVMe admin command, passed through.</summary>
    NvmeAdmin,
    /// <summary>An NVMe I/O command, passed through.</summary>
    NvmeIo,
    /// <summary>An NVMe I/O command with separate metadata, passed through.</summary>
    NvmeIoMd,
    /// <summary>Write into <see cref="BdevIo.Zones"/> what the zones are.</summary>
    GetZoneInfo,
    /// <summary>Do <see cref="BdevIo.ZoneAction"/> to a zone.</summary>
    ZoneManagement,
    /// <summary>Write at a zone's write pointer; the result's value is the first block that was written.</summary>
    ZoneAppend,
}

/// <summary>How an I/O ended. The values are SPDK's.</summary>
public enum BdevIoStatus : sbyte
{
    /// <summary>Aborted by request.</summary>
    Aborted = -7,
    /// <summary>The other half of a fused pair failed.</summary>
    FirstFusedFailed = -6,
    /// <summary>A compare found a difference.</summary>
    Miscompare = -5,
    /// <summary>The module is short of a resource. Never seen by the submitter: the host queues the I/O and submits it again.</summary>
    NoMemory = -4,
    /// <summary>Failed with a SCSI status and sense.</summary>
    ScsiError = -3,
    /// <summary>Failed with an NVMe status.</summary>
    NvmeError = -2,
    /// <summary>Failed.</summary>
    Failed = -1,
    /// <summary>Not completed yet.</summary>
    Pending = 0,
    /// <summary>Done.</summary>
    Success = 1,
}
