namespace Spindle.Nvme.Commands;

/// <summary>Admin command opcodes (NVMe Base Specification 2.0, Figure 89).</summary>
public enum AdminOpcode : byte
{
    DeleteIoSubmissionQueue = 0x00,
    CreateIoSubmissionQueue = 0x01,
    GetLogPage = 0x02,
    DeleteIoCompletionQueue = 0x04,
    CreateIoCompletionQueue = 0x05,
    Identify = 0x06,
    Abort = 0x08,
    SetFeatures = 0x09,
    GetFeatures = 0x0A,
    AsynchronousEventRequest = 0x0C,
    NamespaceManagement = 0x0D,
    FirmwareCommit = 0x10,
    FirmwareImageDownload = 0x11,
    DeviceSelfTest = 0x14,
    NamespaceAttachment = 0x15,
    KeepAlive = 0x18,
    DirectiveSend = 0x19,
    DirectiveReceive = 0x1A,
    VirtualizationManagement = 0x1C,
    NvmeMiSend = 0x1D,
    NvmeMiReceive = 0x1E,
    CapacityManagement = 0x20,
    Lockdown = 0x24,
    DoorbellBufferConfig = 0x7C,
    FabricsCommands = 0x7F,
    FormatNvm = 0x80,
    SecuritySend = 0x81,
    SecurityReceive = 0x82,
    Sanitize = 0x84,
    GetLbaStatus = 0x86,
    /// <summary>First vendor specific admin opcode; C0h to FFh.</summary>
    VendorSpecificStart = 0xC0,
}

/// <summary>I/O command opcodes of the NVM command set (NVM Command Set Specification 1.0, Figure 12), with the I/O commands common to all command sets.</summary>
public enum NvmOpcode : byte
{
    Flush = 0x00,
    Write = 0x01,
    Read = 0x02,
    WriteUncorrectable = 0x04,
    Compare = 0x05,
    WriteZeroes = 0x08,
    DatasetManagement = 0x09,
    Verify = 0x0C,
    ReservationRegister = 0x0D,
    ReservationReport = 0x0E,
    ReservationAcquire = 0x11,
    IoManagementReceive = 0x12,
    ReservationRelease = 0x15,
    Copy = 0x19,
    IoManagementSend = 0x1D,
    /// <summary>Fabrics commands are accepted on I/O queues too (Connect, Disconnect, authentication).</summary>
    FabricsCommands = 0x7F,
    /// <summary>First vendor specific I/O opcode; 80h to FFh.</summary>
    VendorSpecificStart = 0x80,
}

/// <summary>Opcodes that the Zoned Namespace command set adds to the NVM command set (ZNS Command Set Specification 1.1).</summary>
public enum ZonedOpcode : byte
{
    ZoneManagementSend = 0x79,
    ZoneManagementReceive = 0x7A,
    ZoneAppend = 0x7D,
}

/// <summary>Command Set Identifier (CSI; NVMe Base Specification 2.0, Figure 274).</summary>
public enum CommandSetIdentifier : byte
{
    Nvm = 0x00,
    KeyValue = 0x01,
    ZonedNamespace = 0x02,
}

/// <summary>Fused operation, bits 1:0 of a command's second byte (FUSE; NVMe Base Specification 2.0, Figure 86).</summary>
public enum FusedOperation : byte
{
    Normal = 0,
    FirstCommand = 1,
    SecondCommand = 2,
    Reserved = 3,
}

/// <summary>PRP or SGL for data transfer, bits 7:6 of a command's second byte (PSDT; NVMe Base Specification 2.0, Figure 86).</summary>
public enum PrpOrSgl : byte
{
    /// <summary>PRPs; not allowed over fabrics.</summary>
    Prp = 0,
    /// <summary>SGLs; MPTR is the address of one contiguous buffer. Fabrics use this value.</summary>
    SglMptrContiguous = 1,
    /// <summary>SGLs; MPTR is the address of an SGL segment.</summary>
    SglMptrSgl = 2,
    Reserved = 3,
}

/// <summary>Direction of a command's data, bits 1:0 of its opcode (of the Fabrics Command Type for fabrics commands).</summary>
public enum DataTransferDirection : byte
{
    None = 0,
    HostToController = 1,
    ControllerToHost = 2,
    Bidirectional = 3,
}

/// <summary>Values used all over the protocol.</summary>
public static class NvmeConstants
{
    /// <summary>NSID that means all namespaces (broadcast).</summary>
    public const uint BroadcastNsid = 0xFFFF_FFFF;

    /// <summary>CNTLID with which a host asks for a controller under the dynamic controller model.</summary>
    public const ushort DynamicControllerId = 0xFFFF;

    /// <summary>CNTLID with which a host asks for any controller under the static controller model.</summary>
    public const ushort StaticControllerId = 0xFFFE;

    /// <summary>Largest CNTLID a controller may have; FFF0h to FFFFh are reserved.</summary>
    public const ushort MaxControllerId = 0xFFEF;

    /// <summary>Length in bytes of a submission queue entry.</summary>
    public const int SubmissionQueueEntrySize = 64;

    /// <summary>Length in bytes of a completion queue entry.</summary>
    public const int CompletionQueueEntrySize = 16;

    /// <summary>Length in bytes of every Identify data structure.</summary>
    public const int IdentifyDataSize = 4096;

    /// <summary>Largest number of ranges in one Dataset Management command.</summary>
    public const int MaxDatasetManagementRanges = 256;

    /// <summary>Entries in a namespace list, and in the Changed Namespace List log page.</summary>
    public const int NamespaceListEntries = 1024;
}
