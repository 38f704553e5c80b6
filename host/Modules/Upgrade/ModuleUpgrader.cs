using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Spindle.Host.Bdevs;
using Spindle.Host.Rpc;
using Spindle.Modules;

namespace Spindle.Host.Modules.Upgrade;

/// <summary>What an upgrade did.</summary>
/// <param name="Name">The module's name.</param>
/// <param name="From">The version before.</param>
/// <param name="To">The version now.</param>
/// <param name="Pause">How long I/O was held; zero for a restart.</param>
/// <param name="Bdevs">The bdevs that were handed over.</param>
/// <param name="Restarted">True when it was stopped and started instead: bdevs and connections went and came back.</param>
/// <param name="OldCodeUnloaded">False when something still holds the old version's code.</param>
public sealed record UpgradeReport(string Name, string From, string To, TimeSpan Pause, IReadOnlyList<string> Bdevs, bool Restarted, bool OldCodeUnloaded);

/// <summary>Exchanges a running module's code under live I/O; see <see cref="ModuleUpgrade"/> for the order. On the app thread.</summary>
internal sealed class ModuleUpgrader(ModuleHost modules, BdevRegistry bdevs, RpcMethodRegistry methods, ILogger log)
{
    /// <summary>Upgrades.</summary>
    /// <param name="old">The running version.</param>
    /// <param name="manifest">The other version.</param>
    /// <param name="timeout">How long outstanding I/O and RPC calls may take to end.</param>
    /// <exception cref="ModuleException">It was not upgraded, and goes on as before.</exception>
    public async Task<UpgradeReport> UpgradeAsync(LoadedModule old, ModuleManifest manifest, TimeSpan timeout)
    {
        var next = new LoadedModule(manifest, old.IsUnloadable && manifest.Unloadable);
        var from = old.Manifest;
        var (failure, pause, names) = await TryAsync(old, next, timeout);
        if (failure is not null)
        {
            // Whatever the new version holds must be let go of, too.
            await EndAsync(next);
            if (ModuleHost.Drop(next) is { } failed) _ = ReportIfAliveAsync(failed, manifest);
            throw failure;
        }
        log.LogInformation("Module {Name} was upgraded from {From} to {To}; I/O of {Count} bdevs was held for {Pause:0.000} ms.",
            from.Name, from.Version, manifest.Version, names.Count, pause.TotalMilliseconds);
        await EndAsync(old);
        var context = ModuleHost.Drop(old);
        bool gone = context is null || await ContextUnload.WaitAsync(context, modules.UnloadTimeout);
        if (!gone) modules.RememberHeld(from.Identity, context!, null);
        if (!gone) log.LogWarning("The code of module {Module} is still held by something after its upgrade.", from.Identity);
        return new UpgradeReport(from.Name, from.Version.ToString(), manifest.Version.ToString(), pause, names, false, gone);
    }

    private async Task ReportIfAliveAsync(WeakReference context, ModuleManifest manifest)
    {
        if (await ContextUnload.WaitAsync(context, modules.UnloadTimeout)) return;
        modules.RememberHeld(manifest.Identity, context, null);
        log.LogWarning("The code of module {Module}, which did not come up, is still held by something.", manifest.Identity);
    }

    // No local of this method may keep an object of either version once it has returned.
    private async Task<(ModuleException? Failure, TimeSpan Pause, IReadOnlyList<string> Bdevs)> TryAsync(LoadedModule old, LoadedModule next, TimeSpan timeout)
    {
        var name = old.Name;
        var step = "loading it";
        BdevHandover? handover = null;
        IDisposable? held = null;
        bool prepared = false, exported = false, imported = false;
        try
        {
            await Task.Run(() => modules.LoadCode(next));
            var rpc = new UpgradeRegistrar();
            modules.Compose(next, old.SettingsJson, rpc);
            CheckStates(old, next);
            step = "starting it";
            next.State = ModuleState.Starting;
            await modules.RunStartAsync(next, CancellationToken.None);
            CheckRegisteredNone(next);
            step = "compiling it";
            if (next is { IsUnloadable: true, LoadContext: { } context })
            {
                next.Preparation = MethodPreparation.Start(context);
                await next.Preparation.Completed;
            }
            if (old.Preparation is not null) await old.Preparation.Completed;
            await Task.Run(BdevHandover.Compile);
            methods.CheckReplacement(name, rpc.Handlers);
            step = "waiting for RPC calls";
            held = await methods.HoldAsync(name, timeout);
            step = "PrepareAsync of the old version";
            prepared = true;
            await old.Upgrade!.PrepareAsync(CancellationToken.None).WaitAsync(timeout);

            step = "holding I/O";
            handover = new BdevHandover(bdevs, name, old.Context!);
            await handover.HoldAsync(timeout);
            step = "Export of the old version";
            exported = true;
            var state = Export(old, handover);
            step = "Import of the new version";
            imported = true;
            next.Upgrade!.Import(state);
            step = "opening the new version's channels";
            await handover.PrepareAsync(state, timeout);

            // Nothing from here on may fail.
            await handover.CommitAsync(next.Context!);
            methods.Replace(name, rpc.Handlers);
            rpc.Open(methods.ForModule(name));
            modules.Exchange(old, next);
            bdevs.Examiner.Replace(old.Instance as BdevModule, next.Instance as BdevModule);
            next.State = ModuleState.Running;
            Attempt(old, "Commit", static module => module.Upgrade!.Commit());
            return (null, handover.Pause, handover.Names);
        }
        catch (Exception e)
        {
            if (handover is not null) await handover.RollbackAsync();
            if (imported) Attempt(next, "Discard", static module => module.Upgrade!.Discard());
            if (prepared || exported) Attempt(old, "Rollback", static module => module.Upgrade!.Rollback());
            var text = ModuleHost.TextOf(e);
            log.LogError("Module {Module} was not upgraded to {Version}, and goes on as it was: {Step} failed: {Text}", old.Manifest.Identity, next.Manifest.Version, step, text);
            var failure = e as ModuleException ?? new ModuleException(ModuleErrorCode.UpgradeFailed, next.Manifest.Identity,
                $"{step} failed: {text} {old.Manifest.Identity} goes on{(handover is null ? "" : $"; I/O was held for {handover.Pause.TotalMilliseconds:0.000} ms")}.");
            return (failure, TimeSpan.Zero, []);
        }
        finally
        {
            held?.Dispose();
            handover?.Forget();
        }
    }

    private static void CheckStates(LoadedModule old, LoadedModule next)
    {
        if (old.Upgrade is not { } from)
            throw new ModuleException(ModuleErrorCode.NotUpgradable, old.Manifest.Identity, NotUpgradable(old));
        if (next.Upgrade is not { } to)
            throw new ModuleException(ModuleErrorCode.NotUpgradable, next.Manifest.Identity, "cannot take over from another version (its Upgrade is null); stop the old one and start it instead, by \"force\".");
        if (from.StateVersion < to.OldestStateVersion || from.StateVersion > to.StateVersion)
            throw new ModuleException(ModuleErrorCode.NotUpgradable, next.Manifest.Identity,
                $"reads the state of versions {to.OldestStateVersion} to {to.StateVersion}, but {old.Manifest.Identity} writes version {from.StateVersion}; go by a version in between, or restart it by \"force\".");
    }

    /// <summary>Why a module is not upgraded in place.</summary>
    internal static string NotUpgradable(LoadedModule module) => module.Instance is FrontEnd
        ? "cannot hand its connections over to another version; \"force\" stops it and starts the other one, and hosts have to connect again."
        : "cannot hand over to another version while it serves (its Upgrade is null); \"force\" removes its bdevs and makes them again, which hosts notice.";

    private void CheckRegisteredNone(LoadedModule next)
    {
        if (bdevs.All.FirstOrDefault(bdev => ReferenceEquals(bdev.Context, next.Context)) is { } bdev)
            throw new ModuleException(ModuleErrorCode.UpgradeFailed, next.Manifest.Identity,
                $"registered bdev '{bdev.Name}' while it was started; with IModuleContext.IsUpgrade its bdevs come by Import.");
    }

    private static UpgradeState Export(LoadedModule old, BdevHandover handover)
    {
        var state = new UpgradeState(old.Upgrade!.StateVersion);
        old.Upgrade.Export(state);
        foreach (var bdev in handover.Bdevs)
            if (state.Bdevs.All(b => b.Name != bdev.Name)) throw new SpindleException(Errno.EPROTO, $"It did not export bdev '{bdev.Name}'.");
        foreach (var exported in state.Bdevs)
            if (handover.Bdevs.All(bdev => bdev.Name != exported.Name)) throw new SpindleException(Errno.EPROTO, $"It exported '{exported.Name}', which is no bdev of its own.");
        return state;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Attempt(LoadedModule module, string what, Action<LoadedModule> step)
    {
        try
        {
            step(module);
        }
        catch (Exception e)
        {
            log.LogError("Module {Module}: {What} failed: {Text}", module.Manifest.Identity, what, ModuleHost.TextOf(e));
        }
    }

    // As when a module is unloaded, but its methods and bdevs are not touched: they are the other version's.
    private async Task EndAsync(LoadedModule module)
    {
        module.State = ModuleState.Stopping;
        foreach (var bdev in bdevs.All.Where(bdev => module.Context is not null && ReferenceEquals(bdev.Context, module.Context)).Reverse())
            await bdevs.UnregisterAsync(bdev);
        if (module.Instance is not null) await AttemptAsync(module, "StopAsync", static m => m.Instance!.StopAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(10)));
        if (module.Provider is not null) await AttemptAsync(module, "disposing its services", static m => m.Provider!.DisposeAsync().AsTask());
        if (module.Preparation is { } preparation)
        {
            preparation.Cancel();
            await preparation.Completed;
        }
        module.State = ModuleState.Stopped;
    }

    private async Task AttemptAsync(LoadedModule module, string what, Func<LoadedModule, Task> step)
    {
        try
        {
            await step(module);
        }
        catch (Exception e)
        {
            log.LogError("Module {Module}: {What} failed: {Text}", module.Manifest.Identity, what, ModuleHost.TextOf(e));
        }
    }
}
