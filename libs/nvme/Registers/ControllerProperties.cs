namespace Spindle.Nvme.Registers;

/// <summary>Offsets in bytes of the controller properties (registers over PCIe; NVMe Base Specification 2.0, Figure 35).</summary>
public enum PropertyOffset : uint
{
    /// <summary>Controller Capabilities, 8 bytes.</summary>
    Cap = 0x00,
    /// <summary>Version, 4 bytes.</summary>
    Vs = 0x08,
    /// <summary>Interrupt Mask Set, 4 bytes; PCIe only.</summary>
    Intms = 0x0C,
    /// <summary>Interrupt Mask Clear, 4 bytes; PCIe only.</summary>
    Intmc = 0x10,
    /// <summary>Controller Configuration, 4 bytes.</summary>
    Cc = 0x14,
    /// <summary>Controller Status, 4 bytes.</summary>
    Csts = 0x1C,
    /// <summary>NVM Subsystem Reset, 4 bytes.</summary>
    Nssr = 0x20,
    /// <summary>Admin Queue Attributes, 4 bytes; PCIe only.</summary>
    Aqa = 0x24,
    /// <summary>Admin Submission Queue Base Address, 8 bytes; PCIe only.</summary>
    Asq = 0x28,
    /// <summary>Admin Completion Queue Base Address, 8 bytes; PCIe only.</summary>
    Acq = 0x30,
    /// <summary>Controller Memory Buffer Location, 4 bytes; PCIe only.</summary>
    Cmbloc = 0x38,
    /// <summary>Controller Memory Buffer Size, 4 bytes; PCIe only.</summary>
    Cmbsz = 0x3C,
    /// <summary>Boot Partition Information, 4 bytes.</summary>
    Bpinfo = 0x40,
    /// <summary>Boot Partition Read Select, 4 bytes.</summary>
    Bprsel = 0x44,
    /// <summary>Boot Partition Memory Buffer Location, 8 bytes.</summary>
    Bpmbl = 0x48,
    /// <summary>Controller Memory Buffer Memory Space Control, 8 bytes; PCIe only.</summary>
    Cmbmsc = 0x50,
    /// <summary>Controller Memory Buffer Status, 4 bytes; PCIe only.</summary>
    Cmbsts = 0x58,
    /// <summary>Controller Memory Buffer Elasticity Buffer Size, 4 bytes.</summary>
    Cmbebs = 0x5C,
    /// <summary>Controller Memory Buffer Sustained Write Throughput, 4 bytes.</summary>
    Cmbswtp = 0x60,
    /// <summary>NVM Subsystem Shutdown, 4 bytes.</summary>
    Nssd = 0x64,
    /// <summary>Controller Ready Timeouts, 4 bytes.</summary>
    Crto = 0x68,
    /// <summary>First submission queue tail doorbell; PCIe only.</summary>
    Sq0Tdbl = 0x1000,
}

/// <summary>Controller Capabilities (CAP; NVMe Base Specification 2.0, Figure 36).</summary>
public struct ControllerCapabilities(ulong raw)
{
    /// <summary>All 64 bits.</summary>
    public ulong Raw = raw;

    /// <summary>Maximum Queue Entries Supported (MQES), 0's based; minimum 1.</summary>
    public ushort Mqes { readonly get => (ushort)Raw; set => Set(0, 16, value); }

    /// <summary>Contiguous Queues Required (CQR); 1 over fabrics.</summary>
    public bool Cqr { readonly get => Get(16, 1) != 0; set => Set(16, 1, value ? 1u : 0); }

    /// <summary>Arbitration Mechanism Supported (AMS): bit 0 weighted round robin with urgent priority, bit 1 vendor specific.</summary>
    public byte Ams { readonly get => (byte)Get(17, 2); set => Set(17, 2, value); }

    /// <summary>Timeout (TO) for CSTS.RDY to change, in 500 ms.</summary>
    public byte To { readonly get => (byte)Get(24, 8); set => Set(24, 8, value); }

    /// <summary>Doorbell Stride (DSTRD): 2 ^ (2 + DSTRD) bytes; 0 over fabrics.</summary>
    public byte Dstrd { readonly get => (byte)Get(32, 4); set => Set(32, 4, value); }

    /// <summary>NVM Subsystem Reset Supported (NSSRS).</summary>
    public bool Nssrs { readonly get => Get(36, 1) != 0; set => Set(36, 1, value ? 1u : 0); }

    /// <summary>Command Sets Supported (CSS), bits 44:37.</summary>
    public CommandSetsSupported Css { readonly get => (CommandSetsSupported)Get(37, 8); set => Set(37, 8, (byte)value); }

    /// <summary>Boot Partition Support (BPS).</summary>
    public bool Bps { readonly get => Get(45, 1) != 0; set => Set(45, 1, value ? 1u : 0); }

    /// <summary>Controller Power Scope (CPS), bits 47:46.</summary>
    public byte Cps { readonly get => (byte)Get(46, 2); set => Set(46, 2, value); }

    /// <summary>Memory Page Size Minimum (MPSMIN): 2 ^ (12 + MPSMIN) bytes.</summary>
    public byte Mpsmin { readonly get => (byte)Get(48, 4); set => Set(48, 4, value); }

    /// <summary>Memory Page Size Maximum (MPSMAX): 2 ^ (12 + MPSMAX) bytes.</summary>
    public byte Mpsmax { readonly get => (byte)Get(52, 4); set => Set(52, 4, value); }

    /// <summary>Persistent Memory Region Supported (PMRS).</summary>
    public bool Pmrs { readonly get => Get(56, 1) != 0; set => Set(56, 1, value ? 1u : 0); }

    /// <summary>Controller Memory Buffer Supported (CMBS).</summary>
    public bool Cmbs { readonly get => Get(57, 1) != 0; set => Set(57, 1, value ? 1u : 0); }

    /// <summary>NVM Subsystem Shutdown Supported (NSSS).</summary>
    public bool Nsss { readonly get => Get(58, 1) != 0; set => Set(58, 1, value ? 1u : 0); }

    /// <summary>Controller Ready Modes Supported (CRMS), bits 60:59: bit 0 with media, bit 1 independent of media.</summary>
    public byte Crms { readonly get => (byte)Get(59, 2); set => Set(59, 2, value); }

    private readonly ulong Get(int shift, int bits) => (Raw >> shift) & ((1UL << bits) - 1);

    private void Set(int shift, int bits, ulong value)
    {
        ulong mask = ((1UL << bits) - 1) << shift;
        Raw = (Raw & ~mask) | ((value << shift) & mask);
    }
}

/// <summary>CAP.CSS.</summary>
[Flags]
public enum CommandSetsSupported : byte
{
    None = 0,
    NvmCommandSet = 1 << 0,
    /// <summary>One or more I/O command sets, chosen by CC.CSS 110b.</summary>
    IoCommandSets = 1 << 6,
    NoIoCommandSet = 1 << 7,
}

/// <summary>Version (VS) of the base specification a controller supports (NVMe Base Specification 2.0, Figure 37).</summary>
public readonly struct NvmeVersion(uint raw)
{
    public NvmeVersion(ushort major, byte minor, byte tertiary) : this((uint)major << 16 | (uint)minor << 8 | tertiary) { }

    /// <summary>All 32 bits.</summary>
    public uint Raw { get; } = raw;

    /// <summary>Major (MJR).</summary>
    public ushort Major => (ushort)(Raw >> 16);

    /// <summary>Minor (MNR).</summary>
    public byte Minor => (byte)(Raw >> 8);

    /// <summary>Tertiary (TER).</summary>
    public byte Tertiary => (byte)Raw;

    public override string ToString() => $"{Major}.{Minor}.{Tertiary}";
}

/// <summary>Controller Configuration (CC; NVMe Base Specification 2.0, Figure 46).</summary>
public struct ControllerConfiguration(uint raw)
{
    /// <summary>All 32 bits.</summary>
    public uint Raw = raw;

    /// <summary>Bits that no specification defines; a controller may refuse them.</summary>
    public const uint ReservedMask = 0xFE00_000E;

    /// <summary>Enable (EN).</summary>
    public bool En { readonly get => Get(0, 1) != 0; set => Set(0, 1, value ? 1u : 0); }

    /// <summary>I/O Command Set Selected (CSS), bits 6:4.</summary>
    public CommandSetSelected Css { readonly get => (CommandSetSelected)Get(4, 3); set => Set(4, 3, (uint)value); }

    /// <summary>Memory Page Size (MPS), bits 10:7: 2 ^ (12 + MPS) bytes.</summary>
    public byte Mps { readonly get => (byte)Get(7, 4); set => Set(7, 4, value); }

    /// <summary>Arbitration Mechanism Selected (AMS), bits 13:11.</summary>
    public byte Ams { readonly get => (byte)Get(11, 3); set => Set(11, 3, value); }

    /// <summary>Shutdown Notification (SHN), bits 15:14.</summary>
    public ShutdownNotification Shn { readonly get => (ShutdownNotification)Get(14, 2); set => Set(14, 2, (uint)value); }

    /// <summary>I/O Submission Queue Entry Size (IOSQES), bits 19:16: log2 of bytes; 6.</summary>
    public byte Iosqes { readonly get => (byte)Get(16, 4); set => Set(16, 4, value); }

    /// <summary>I/O Completion Queue Entry Size (IOCQES), bits 23:20: log2 of bytes; 4.</summary>
    public byte Iocqes { readonly get => (byte)Get(20, 4); set => Set(20, 4, value); }

    /// <summary>Controller Ready Independent of Media Enable (CRIME), bit 24.</summary>
    public bool Crime { readonly get => Get(24, 1) != 0; set => Set(24, 1, value ? 1u : 0); }

    private readonly uint Get(int shift, int bits) => (Raw >> shift) & ((1u << bits) - 1);

    private void Set(int shift, int bits, uint value)
    {
        uint mask = ((1u << bits) - 1) << shift;
        Raw = (Raw & ~mask) | ((value << shift) & mask);
    }
}

/// <summary>CC.CSS.</summary>
public enum CommandSetSelected : byte
{
    Nvm = 0,
    AllSupportedIoCommandSets = 6,
    AdminOnly = 7,
}

/// <summary>CC.SHN.</summary>
public enum ShutdownNotification : byte
{
    None = 0,
    Normal = 1,
    Abrupt = 2,
    Reserved = 3,
}

/// <summary>Controller Status (CSTS; NVMe Base Specification 2.0, Figure 47).</summary>
public struct ControllerStatus(uint raw)
{
    /// <summary>All 32 bits.</summary>
    public uint Raw = raw;

    /// <summary>Ready (RDY), bit 0.</summary>
    public bool Rdy { readonly get => Get(0, 1) != 0; set => Set(0, 1, value ? 1u : 0); }

    /// <summary>Controller Fatal Status (CFS), bit 1.</summary>
    public bool Cfs { readonly get => Get(1, 1) != 0; set => Set(1, 1, value ? 1u : 0); }

    /// <summary>Shutdown Status (SHST), bits 3:2.</summary>
    public ShutdownStatus Shst { readonly get => (ShutdownStatus)Get(2, 2); set => Set(2, 2, (uint)value); }

    /// <summary>NVM Subsystem Reset Occurred (NSSRO), bit 4; write 1 to clear.</summary>
    public bool Nssro { readonly get => Get(4, 1) != 0; set => Set(4, 1, value ? 1u : 0); }

    /// <summary>Processing Paused (PP), bit 5.</summary>
    public bool Pp { readonly get => Get(5, 1) != 0; set => Set(5, 1, value ? 1u : 0); }

    /// <summary>Shutdown Type (ST), bit 6: 1 when an NVM subsystem shutdown is reported.</summary>
    public bool St { readonly get => Get(6, 1) != 0; set => Set(6, 1, value ? 1u : 0); }

    private readonly uint Get(int shift, int bits) => (Raw >> shift) & ((1u << bits) - 1);

    private void Set(int shift, int bits, uint value)
    {
        uint mask = ((1u << bits) - 1) << shift;
        Raw = (Raw & ~mask) | ((value << shift) & mask);
    }
}

/// <summary>CSTS.SHST.</summary>
public enum ShutdownStatus : byte
{
    Normal = 0,
    Occurring = 1,
    Complete = 2,
    Reserved = 3,
}

/// <summary>Admin Queue Attributes (AQA; NVMe Base Specification 2.0, Figure 49); PCIe only.</summary>
public readonly struct AdminQueueAttributes(uint raw)
{
    /// <summary>All 32 bits.</summary>
    public uint Raw { get; } = raw;

    /// <summary>Admin Submission Queue Size (ASQS), 0's based, 12 bits.</summary>
    public ushort Asqs => (ushort)(Raw & 0xFFF);

    /// <summary>Admin Completion Queue Size (ACQS), 0's based, 12 bits.</summary>
    public ushort Acqs => (ushort)((Raw >> 16) & 0xFFF);
}

/// <summary>Controller Ready Timeouts (CRTO; NVMe Base Specification 2.0, Figure 60).</summary>
public readonly struct ControllerReadyTimeouts(uint raw)
{
    /// <summary>All 32 bits.</summary>
    public uint Raw { get; } = raw;

    /// <summary>Controller Ready With Media Timeout (CRWMT), in 500 ms.</summary>
    public ushort Crwmt => (ushort)Raw;

    /// <summary>Controller Ready Independent of Media Timeout (CRIMT), in 500 ms.</summary>
    public ushort Crimt => (ushort)(Raw >> 16);
}

/// <summary>Values that are written as passwords.</summary>
public static class ControllerPropertyValues
{
    /// <summary>"NVMe": written to NSSR starts an NVM subsystem reset.</summary>
    public const uint NvmSubsystemReset = 0x4E56_4D65;

    /// <summary>"Nrml": written to NSSD starts a normal NVM subsystem shutdown.</summary>
    public const uint NvmSubsystemShutdownNormal = 0x4E72_6D6C;

    /// <summary>"Abrt": written to NSSD starts an abrupt NVM subsystem shutdown.</summary>
    public const uint NvmSubsystemShutdownAbrupt = 0x4162_7274;
}
