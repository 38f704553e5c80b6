using System.Runtime.InteropServices;

namespace Spindle.Cli;

/// <summary>SIGINT and SIGTERM: the first one asks for the end, a second one ends the process at once.</summary>
internal sealed class Signals : IDisposable
{
    private readonly CancellationTokenSource _ending = new();
    private readonly PosixSignalRegistration[] _registrations;

    public Signals() => _registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal),
        PosixSignalRegistration.Create(PosixSignal.SIGQUIT, OnSignal),
    ];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Ending => _ending.Token;

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        // 128 + the signal's number, as shells have it.
        if (_ending.IsCancellationRequested) Environment.Exit(context.Signal == PosixSignal.SIGINT ? 130 : 143);
        // Elsewhere: what waits for the token must not run on the runtime's signal thread.
        _ = _ending.CancelAsync();
    }

    public void Dispose()
    {
        foreach (var registration in _registrations) registration.Dispose();
        _ending.Dispose();
    }
}
