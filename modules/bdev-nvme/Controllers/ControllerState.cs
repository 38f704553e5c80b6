namespace Spindle.Bdev.Nvme.Controllers;

/// <summary>Where a controller is in its life.</summary>
internal enum ControllerState
{
    /// <summary>Connected; I/O goes by it.</summary>
    Enabled,
    /// <summary>Being connected again.</summary>
    Resetting,
    /// <summary>A connection failed; the next one is tried after a while.</summary>
    ReconnectIsDelayed,
    /// <summary>Disconnected on request.</summary>
    Disabled,
    /// <summary>Lost, and not tried again by itself.</summary>
    Failed,
    /// <summary>On its way out.</summary>
    Deleting,
}

/// <summary>The states' names in RPC replies.</summary>
internal static class ControllerStateNames
{
    internal static string Of(ControllerState state) => state switch
    {
        ControllerState.Enabled => "enabled",
        ControllerState.Resetting => "resetting",
        ControllerState.ReconnectIsDelayed => "reconnect_is_delayed",
        ControllerState.Disabled => "disabled",
        ControllerState.Failed => "failed",
        _ => "deleting",
    };
}
