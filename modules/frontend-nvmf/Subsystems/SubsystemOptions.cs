using Spindle.Nvme.Commands;

namespace Spindle.Frontend.Nvmf.Subsystems;

/// <summary>What a subsystem is created with (<c>nvmf_create_subsystem</c>); constant afterwards.</summary>
internal sealed record SubsystemOptions
{
    /// <summary>The serial number that a subsystem has when none is given, SPDK's.</summary>
    public const string DefaultSerialNumber = "00000000000000000000";

    /// <summary>The model number that a subsystem has when none is given.</summary>
    public const string DefaultModelNumber = "Spindle bdev Controller";

    /// <summary>Largest NSID when none is given.</summary>
    public const uint DefaultMaxNamespaces = 32;

    /// <summary>1 to 20 printable ASCII characters.</summary>
    public string SerialNumber { get; init; } = DefaultSerialNumber;

    /// <summary>1 to 40 printable ASCII characters.</summary>
    public string ModelNumber { get; init; } = DefaultModelNumber;

    /// <summary>Largest NSID; 0 for a discovery subsystem.</summary>
    public uint MaxNamespaces { get; init; } = DefaultMaxNamespaces;

    /// <summary>Asymmetric namespace access is reported.</summary>
    public bool AnaReporting { get; init; }

    /// <summary>Smallest controller ID.</summary>
    public ushort MinControllerId { get; init; } = 1;

    /// <summary>Largest controller ID.</summary>
    public ushort MaxControllerId { get; init; } = NvmeConstants.MaxControllerId;

    /// <summary>KiB of the largest range of a Dataset Management command; 0: no limit.</summary>
    public ulong MaxDiscardSizeKib { get; init; }

    /// <summary>KiB of the largest Write Zeroes command, a power of two from 4; 0: no limit.</summary>
    public ulong MaxWriteZeroesSizeKib { get; init; }
}
