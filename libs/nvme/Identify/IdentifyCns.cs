namespace Spindle.Nvme.Identify;

/// <summary>Controller or Namespace Structure (CNS) of the Identify command (NVMe Base Specification 2.0, Figure 273).</summary>
public enum IdentifyCns : byte
{
    /// <summary>Identify Namespace data of an active NSID.</summary>
    Namespace = 0x00,
    /// <summary>Identify Controller data.</summary>
    Controller = 0x01,
    /// <summary>Active Namespace ID list: NSIDs greater than CDW1.NSID.</summary>
    ActiveNamespaceIdList = 0x02,
    /// <summary>Namespace Identification Descriptor list.</summary>
    NamespaceIdentificationDescriptorList = 0x03,
    /// <summary>NVM Set List.</summary>
    NvmSetList = 0x04,
    /// <summary>I/O command set specific Identify Namespace data, by CSI.</summary>
    IoCommandSetSpecificNamespace = 0x05,
    /// <summary>I/O command set specific Identify Controller data, by CSI.</summary>
    IoCommandSetSpecificController = 0x06,
    /// <summary>I/O command set specific Active Namespace ID list, by CSI.</summary>
    IoCommandSetSpecificActiveNamespaceIdList = 0x07,
    /// <summary>I/O command set independent Identify Namespace data.</summary>
    IoCommandSetIndependentNamespace = 0x08,
    AllocatedNamespaceIdList = 0x10,
    AllocatedNamespace = 0x11,
    NamespaceAttachedControllerList = 0x12,
    ControllerList = 0x13,
    PrimaryControllerCapabilities = 0x14,
    SecondaryControllerList = 0x15,
    NamespaceGranularityList = 0x16,
    UuidList = 0x17,
    DomainList = 0x18,
    EnduranceGroupList = 0x19,
    IoCommandSetSpecificAllocatedNamespaceIdList = 0x1A,
    IoCommandSetSpecificAllocatedNamespace = 0x1B,
    /// <summary>Identify I/O Command Set data: supported combinations.</summary>
    IoCommandSet = 0x1C,
}

/// <summary>Namespace Identifier Type (NIDT) of an identification descriptor (NVMe Base Specification 2.0, Figure 277).</summary>
public enum NamespaceIdentifierType : byte
{
    /// <summary>IEEE Extended Unique Identifier, 8 bytes.</summary>
    Eui64 = 0x1,
    /// <summary>Namespace Globally Unique Identifier, 16 bytes.</summary>
    Nguid = 0x2,
    /// <summary>Namespace UUID, 16 bytes.</summary>
    Uuid = 0x3,
    /// <summary>Command Set Identifier, 1 byte.</summary>
    Csi = 0x4,
}

/// <summary>Controller Type (CNTRLTYPE) of Identify Controller.</summary>
public enum ControllerType : byte
{
    NotReported = 0,
    Io = 1,
    Discovery = 2,
    Administrative = 3,
}
