namespace Spindle.Frontend.Nvmf.Target;

/// <summary>Where the module's RPCs find the target: its configuration from the beginning, the target itself once it was started. On the app thread.</summary>
internal sealed class TargetHolder
{
    private NvmfTarget? _target;

    /// <summary>What applies to the whole target.</summary>
    public TargetConfiguration Configuration { get; } = new();

    /// <summary>The target.</summary>
    /// <exception cref="SpindleException">EAGAIN: it is not started, or has ended.</exception>
    public NvmfTarget Target
    {
        get => _target ?? throw new SpindleException(Errno.EAGAIN, "The NVMe-oF target is not running; call framework_start_init first.");
        set => _target = value;
    }

    /// <summary>The target, or null when it is not running.</summary>
    public NvmfTarget? TargetOrNull => _target;

    /// <summary>The target has ended.</summary>
    public void Clear() => _target = null;
}
