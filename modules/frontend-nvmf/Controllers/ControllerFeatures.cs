using Spindle.Nvme.Features;

namespace Spindle.Frontend.Nvmf.Controllers;

/// <summary>The values of a controller's features that are nothing but values. On the controller's thread, unless a member says otherwise.</summary>
internal sealed class ControllerFeatures
{
    private volatile bool _writeCacheEnabled = true;

    /// <summary>Arbitration, dword 11.</summary>
    public uint Arbitration { get; set; }

    /// <summary>Power Management, dword 11.</summary>
    public uint PowerManagement { get; set; }

    /// <summary>Error Recovery, dword 11.</summary>
    public uint ErrorRecovery { get; set; }

    /// <summary>Write Atomicity Normal, dword 11.</summary>
    public uint WriteAtomicity { get; set; }

    /// <summary>Asynchronous Event Configuration, dword 11.</summary>
    public AsynchronousEventConfiguration Events { get; set; }

    /// <summary>Host Behavior Support: Advanced Command Retry Enable.</summary>
    public bool AdvancedCommandRetry { get; set; }

    /// <summary>Host Behavior Support: LBA Format Extension Enable.</summary>
    public bool LbaFormatExtension { get; set; }

    /// <summary>Volatile Write Cache, dword 11 bit 0: while false every write is made durable before it completes. Read on any thread.</summary>
    public bool WriteCacheEnabled
    {
        get => _writeCacheEnabled;
        set => _writeCacheEnabled = value;
    }
}
