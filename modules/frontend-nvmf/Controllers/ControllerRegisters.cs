using Spindle.Nvme.Registers;

namespace Spindle.Frontend.Nvmf.Controllers;

/// <summary>A controller's properties and the states that CC moves it through (NVMe Base Specification 2.0, sections 3.1.3, 3.5 and 3.6). On the controller's
/// thread, except <see cref="IsEnabled"/>.</summary>
internal sealed class ControllerRegisters
{
    /// <summary>CAP.TO: how long a change of CSTS.RDY may take, in 500 ms.</summary>
    private const byte ReadyTimeout = 30;

    private ControllerConfiguration _configuration;
    private ControllerStatus _status;
    private volatile bool _enabled;
    private volatile bool _allCommandSets;
    private readonly bool _zoned;

    /// <param name="maxQueueDepth">Entries of the largest queue.</param>
    /// <param name="zoned">The subsystem has zoned namespaces.</param>
    public ControllerRegisters(uint maxQueueDepth, bool zoned)
    {
        ControllerCapabilities capabilities = default;
        capabilities.Mqes = (ushort)(maxQueueDepth - 1);
        capabilities.Cqr = true;
        capabilities.To = ReadyTimeout;
        capabilities.Css = CommandSetsSupported.NvmCommandSet;
        if (zoned) capabilities.Css |= CommandSetsSupported.IoCommandSets;
        _zoned = zoned;
        capabilities.Crms = 1;
        Capabilities = capabilities.Raw;
    }

    /// <summary>The specification that controllers follow: 2.0.</summary>
    public static NvmeVersion Version { get; } = new(2, 0, 0);

    /// <summary>CAP.</summary>
    public ulong Capabilities { get; }

    /// <summary>CC.</summary>
    public ControllerConfiguration Configuration => _configuration;

    /// <summary>CSTS.</summary>
    public ControllerStatus Status => _status;

    /// <summary>CC.EN is set and no reset or shutdown is under way: I/O commands may be carried out. On any thread.</summary>
    public bool IsEnabled => _enabled;

    /// <summary>The host may enable all command sets. On any thread.</summary>
    public bool OffersAllCommandSets => _zoned;

    /// <summary>The host has enabled all command sets (CC.CSS), so that it sees zoned namespaces; else there are none for it. On any thread.</summary>
    public bool AllCommandSets => _allCommandSets;

    /// <summary>CRTO.</summary>
    public static uint ReadyTimeouts => ReadyTimeout;

    /// <summary>The host writes CC.</summary>
    /// <returns>What is to be done: nothing, or the I/O queues are to be ended first; null when the value is not supported and nothing changed.</returns>
    public ControllerTransition? Write(uint value)
    {
        ControllerConfiguration wanted = new(value);
        // A host that knows the NVM command set only is served by it, zones or not.
        bool hasCommandSet = wanted.Css == CommandSetSelected.Nvm || (_zoned && wanted.Css == CommandSetSelected.AllSupportedIoCommandSets);
        if (wanted.Ams != 0 || wanted.Mps != 0 || !hasCommandSet || wanted.Shn == ShutdownNotification.Reserved) return null;

        // The command sets may be chosen only while the controller is disabled.
        if (_configuration.En && wanted.En && wanted.Css != _configuration.Css) return null;

        ControllerTransition transition = ControllerTransition.None;
        bool enables = wanted.En && !_configuration.En;
        bool disables = !wanted.En && _configuration.En;
        bool shutsDown = wanted.Shn != ShutdownNotification.None && _configuration.Shn == ShutdownNotification.None;

        // Linux writes it before it enables the controller, and believes what it reads back.
        if (!_configuration.En) _configuration.Css = wanted.Css;
        _configuration.Iosqes = wanted.Iosqes;
        _configuration.Iocqes = wanted.Iocqes;
        if (disables)
        {
            _configuration.En = false;
            _enabled = false;
            transition = ControllerTransition.Reset;
        }
        if (shutsDown)
        {
            _configuration.Shn = wanted.Shn;
            _status.Shst = ShutdownStatus.Occurring;
            _enabled = false;
            if (transition == ControllerTransition.None) transition = ControllerTransition.Shutdown;
        }
        else if (wanted.Shn == ShutdownNotification.None)
        {
            _configuration.Shn = ShutdownNotification.None;
        }
        if (enables)
        {
            _configuration.En = true;
            _allCommandSets = wanted.Css == CommandSetSelected.AllSupportedIoCommandSets;
            _status.Shst = ShutdownStatus.Normal;
            _status.Rdy = true;
            _enabled = true;
            transition = ControllerTransition.Enable;
        }
        return transition;
    }

    /// <summary>The I/O queues have ended after a <see cref="ControllerTransition.Reset"/>.</summary>
    public void OnResetDone()
    {
        _configuration = default;
        _status = default;
    }

    /// <summary>The I/O queues have ended after a <see cref="ControllerTransition.Shutdown"/>.</summary>
    public void OnShutdownDone() => _status.Shst = ShutdownStatus.Complete;

    /// <summary>The controller cannot go on.</summary>
    public void SetFatal()
    {
        _status.Cfs = true;
        _enabled = false;
    }
}

/// <summary>What a write to CC starts.</summary>
internal enum ControllerTransition
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>The controller is enabled and ready.</summary>
    Enable,
    /// <summary>The I/O queues are to be ended; then the controller is as new.</summary>
    Reset,
    /// <summary>The I/O queues are to be ended; then the shutdown is complete.</summary>
    Shutdown,
}
