namespace Spindle.Host.Faults;

/// <summary>What is done about a reactor that does not come back from a module's code.</summary>
public enum HangAction
{
    /// <summary>It is logged and named by <c>spindle_get_health</c>.</summary>
    Report,
    /// <summary>The process ends with exit code 70, for a supervisor that starts it again.</summary>
    Exit,
    /// <summary>The process starts itself again with the same arguments.</summary>
    Restart,
}

/// <summary>How far the host goes about an I/O that a module does not complete; each step is taken when the one before did not help within the time again.</summary>
public enum IoTimeoutAction
{
    /// <summary>Nothing, not even a word.</summary>
    None,
    /// <summary>It is logged and named by <c>spindle_get_health</c>.</summary>
    Report,
    /// <summary>The module is asked to abort it.</summary>
    Abort,
    /// <summary>The bdev is reset.</summary>
    Reset,
    /// <summary>The bdev is removed, and its I/O is failed.</summary>
    Remove,
}

/// <summary>How faults of modules are found and what is done about them; "faults" in app.json.</summary>
public sealed record FaultOptions
{
    /// <summary>How long one piece of work may hold a reactor before it is logged.</summary>
    public TimeSpan HoldLimit { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long before the reactor counts as hung.</summary>
    public TimeSpan HangLimit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>What is done then.</summary>
    public HangAction OnHang { get; init; }

    /// <summary>The folder for a dump of the process, with every stack in it, when a reactor hangs; null for none.</summary>
    public string? DumpFolder { get; init; }

    /// <summary>How long a module may take for an I/O; zero for ever.</summary>
    public TimeSpan IoTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How far to go then.</summary>
    public IoTimeoutAction OnIoTimeout { get; init; } = IoTimeoutAction.Report;

    /// <summary>Managed heap above which it is looked for who allocates; bytes.</summary>
    public long HeapLimit { get; init; } = 1L << 30;

    /// <summary>True: an unexpected exception out of an RPC method marks its module faulty, as one on the data path does. False: the call fails, and it is logged.</summary>
    public bool RpcFaults { get; init; } = true;
}
