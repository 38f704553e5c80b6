namespace Spindle.Host.Hosting;

/// <summary>Where the health RPC gets what the watchers saw; they start after the methods are made.</summary>
internal sealed class HealthSource
{
    public FaultWatch? Faults { get; set; }
}
