using Microsoft.Extensions.Logging;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Configuration;

/// <summary>Runs the calls of a configuration file: those of the startup phase before initialization, the others after it.</summary>
public sealed class ConfigurationLoader(RpcDispatcher dispatcher, ILogger<ConfigurationLoader> logger)
{
    /// <summary>Loads a configuration.</summary>
    /// <param name="file">The calls.</param>
    /// <param name="startInit">Initializes the framework; called in between when it is not initialized yet.</param>
    /// <param name="ignoreUnknown">Pass over methods that are not there, with a warning each.</param>
    /// <param name="cancellationToken">Stops before the next call.</param>
    /// <exception cref="ConfigurationException">Methods are unknown (all of them are named, and nothing was run), or a call failed (those before it took effect).</exception>
    public async Task LoadAsync(ConfigurationFile file, Func<Task> startInit, bool ignoreUnknown = false, CancellationToken cancellationToken = default)
    {
        var entries = Known(file, ignoreUnknown);
        var wasStartup = dispatcher.Methods.Phase == RpcPhase.Startup;
        if (wasStartup)
        {
            await RunAsync(file, entries.Where(e => e.Phase.HasFlag(RpcPhase.Startup)).Select(e => e.Entry), cancellationToken).ConfigureAwait(false);
            await startInit().ConfigureAwait(false);
        }
        foreach (var (entry, _) in entries.Where(e => !wasStartup && e.Phase == RpcPhase.Startup))
        {
            logger.LogWarning("{File}:{Line}: '{Method}' is passed over: it may be called only before the framework is initialized.", file.Name, entry.Line, entry.Method);
        }
        var rest = entries.Where(e => e.Phase.HasFlag(RpcPhase.Runtime) && !(wasStartup && e.Phase.HasFlag(RpcPhase.Startup)));
        await RunAsync(file, rest.Select(e => e.Entry), cancellationToken).ConfigureAwait(false);
    }

    List<(ConfigurationEntry Entry, RpcPhase Phase)> Known(ConfigurationFile file, bool ignoreUnknown)
    {
        var known = new List<(ConfigurationEntry, RpcPhase)>();
        var unknown = new List<ConfigurationEntry>();
        foreach (var entry in file.Entries)
        {
            if (dispatcher.Methods.TryFind(entry.Method, out var handler))
            {
                known.Add((entry, handler.Phase));
            }
            else
            {
                unknown.Add(entry);
            }
        }
        if (unknown.Count > 0 && !ignoreUnknown)
        {
            throw new ConfigurationException($"{file.Name}: {unknown.Count} of {file.Entries.Count} calls are of methods that no loaded module has; nothing was configured:\n"
                + string.Join("\n", unknown.Select(e => $"{file.Name}:{e.Line}: '{e.Method}' (subsystem {e.Subsystem})"))
                + "\nAdd the modules to the app's manifest, or pass over these calls with --ignore-unknown.");
        }
        foreach (var entry in unknown)
        {
            logger.LogWarning("{File}:{Line}: '{Method}' (subsystem {Subsystem}) is passed over: no loaded module has it.", file.Name, entry.Line, entry.Method, entry.Subsystem);
        }
        return known;
    }

    async Task RunAsync(ConfigurationFile file, IEnumerable<ConfigurationEntry> entries, CancellationToken cancellationToken)
    {
        foreach (var entry in entries)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                await dispatcher.InvokeAsync(entry.Method, entry.Parameters, cancellationToken).ConfigureAwait(false);
            }
            catch (RpcException exception)
            {
                throw new ConfigurationException($"{file.Name}:{entry.Line}: '{entry.Method}' failed: {exception.Message} (code {exception.Code})");
            }
        }
    }
}
