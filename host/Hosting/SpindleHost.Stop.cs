using Microsoft.Extensions.Logging;
using Spindle.Host.Modules;

namespace Spindle.Host.Hosting;

// How a host goes down. Every step is taken, whatever became of the one before; what hangs is left behind when the time is up.
public sealed partial class SpindleHost
{
    private async Task<bool> StopCoreAsync()
    {
        long end = System.Environment.TickCount64 + (long)_options.StopTimeout.TotalMilliseconds;
        bool clean = true;

        Rpc?.RefuseHeld();
        if (_server is not null) clean &= await StepAsync("the control socket", _server.DisposeAsync().AsTask(), end).ConfigureAwait(false);
        if (Modules is not null)
        {
            bool stopped = await StepAsync("the modules", Modules.StopAllAsync(), end).ConfigureAwait(false);
            if (!stopped)
                _log.LogError("Still there: {Modules}.", string.Join(", ", Modules.Modules.Select(module => $"{module.Manifest.Identity} ({module.State})")));
            clean &= stopped;
        }
        _faults?.Dispose();
        // A reactor that is stuck in a module's code cannot be ended; the memory it uses must then stay.
        bool reactors = _reactors is null || await StepAsync("the reactors", _reactors.DisposeAsync().AsTask(), Math.Max(end, System.Environment.TickCount64 + 250)).ConfigureAwait(false);
        if (reactors && clean)
        {
            if (_services is not null) await _services.DisposeAsync().ConfigureAwait(false);
            _iobuf?.Dispose();
            _environment?.Dispose();
        }
        return clean && reactors;
    }

    private async Task<bool> StepAsync(string what, Task step, long end)
    {
        try
        {
            await step.WaitAsync(TimeSpan.FromMilliseconds(Math.Max(1, end - System.Environment.TickCount64))).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            _log.LogError("{What} did not end within {Seconds} s and is abandoned.", what, _options.StopTimeout.TotalSeconds);
        }
        catch (Exception e)
        {
            _log.LogError("Ending {What} failed: {Text}", what, e.ToString());
        }
        return false;
    }
}
