using Microsoft.Extensions.Logging;
using Spindle.Host.Bdevs;
using Spindle.Host.Faults;
using Spindle.Host.Modules;
using Spindle.Host.Reactors;
using Spindle.Host.Rpc;

namespace Spindle.Host.Hosting;

/// <summary>Charges what goes wrong to the module whose code it is: exceptions out of it, wherever they arise, reactors it holds, I/O it keeps.</summary>
internal sealed class FaultWatch : IDisposable
{
    private readonly ModuleHost _modules;
    private readonly ILogger _log;

    public FaultWatch(ReactorSystem reactors, BdevRegistry bdevs, ModuleHost modules, RpcDispatcher rpc, FaultOptions options, ILogger log)
    {
        _modules = modules;
        _log = log;
        Options = options;
        reactors.Faulted += fault => Mark(fault.Module, $"{fault.Where} on {fault.Thread} threw: {fault.Text}");
        bdevs.ModuleFaulted += fault =>
        {
            // Without a text it is a completion that was refused: it did no harm, and is counted.
            if (fault.Text.Length > 0 && modules.Find(fault.Module) is { } module)
                modules.MarkFaulty(module, $"{fault.Where} of bdev {fault.Bdev} threw: {fault.Text}");
        };
        if (options.RpcFaults)
            rpc.Faulted += (owner, method, text) =>
            {
                if (modules.Find(owner) is { } module) modules.MarkFaulty(module, $"RPC method {method} threw: {text}");
            };
        UncaughtExceptions.ContainedFrom += OnUncaught;
        Watchdog = new Watchdog(reactors, options, log);
        Watchdog.Hung += hold => Mark(hold.Module, $"{hold.What} does not return; reactor {hold.Core} stands still");
        Io = new IoWatch(reactors, bdevs, options, log);
        Io.Start();
    }

    public FaultOptions Options { get; }

    public Watchdog Watchdog { get; }

    public IoWatch Io { get; }

    private void OnUncaught(string text, ModuleLoadContext context)
    {
        if (_modules.Modules.FirstOrDefault(m => ReferenceEquals(m.LoadContext, context)) is not { } found) return; // another host's, in the same process
        _log.LogError("Module {Module} threw on a thread where nobody catches: {Text}", context.Identity, text);
        _modules.MarkFaulty(found, $"it threw on a thread of its own or of the thread pool: {text}");
    }

    private void Mark(string? identity, string text)
    {
        if (identity is not null && _modules.FindByIdentity(identity) is { } module) _modules.MarkFaulty(module, text);
    }

    public void Dispose()
    {
        UncaughtExceptions.ContainedFrom -= OnUncaught;
        Io.Stop();
        Watchdog.Dispose();
    }
}
