using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using Spindle.Bdevs;
using Spindle.Host.Faults;
using Spindle.Host.Reactors;
using Spindle.Modules;
using Spindle.Threading;

namespace Spindle.Host.Bdevs;

/// <summary>Exchanges a module's bdevs for those of another version of it, while they are open and in use. On the app thread.</summary>
/// <remarks>How it works. (1) <see cref="HoldAsync"/>: each queue keeps what is submitted and lets what is outstanding complete; a bdev that stands on another one
/// of the same module goes first, since its I/O needs the other. (2) <see cref="PrepareAsync"/>: each storage thread makes a channel of the new bdev and
/// the new module's state for its pooled I/O objects; all that can fail happens here. (3) <see cref="CommitAsync"/>: the registry's entry names the new bdev, each thread
/// takes what it prepared and submits what waited. Or <see cref="RollbackAsync"/>: what was prepared goes, the old bdev goes on.</remarks>
internal sealed class BdevHandover
{
    private readonly BdevRegistry _registry;
    private readonly List<(BdevEntry Entry, Bdev Old)> _bdevs;
    private readonly List<Bdev> _registered = [];
    private readonly List<BdevEntry> _resetTurns = [];
    private readonly List<(BdevDescriptor Descriptor, BdevEventCallback Events, object? State)> _adopted = [];
    private readonly Dictionary<BdevEntry, Bdev> _next = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _heldAt;

    /// <param name="registry">The registry.</param>
    /// <param name="module">The module's name.</param>
    /// <param name="context">The context of the version that runs.</param>
    public BdevHandover(BdevRegistry registry, string module, IModuleContext context)
    {
        _registry = registry;
        Module = module;
        _bdevs = [.. registry.EntriesOf(module).Where(entry => ReferenceEquals(entry.Bdev.Context, context)).Select(entry => (entry, entry.Bdev))];
        Names = [.. _bdevs.Select(b => b.Old.Name)];
    }

    /// <summary>The module's name.</summary>
    public string Module { get; }

    /// <summary>The bdevs as they were.</summary>
    public IReadOnlyList<Bdev> Bdevs => [.. _bdevs.Select(b => b.Old)];

    /// <summary>Their names.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Lets go of all objects of both versions.</summary>
    public void Forget()
    {
        _bdevs.Clear();
        _registered.Clear();
        _adopted.Clear();
        _next.Clear();
    }

    /// <summary>Ends with the handover, whichever way.</summary>
    public Task Ended => _ended.Task;

    /// <summary>How long I/O was held.</summary>
    public TimeSpan Pause { get; private set; }

    /// <summary>Compiles what runs while I/O is held, ahead of it: the compiler would take longer than the exchange does. On any thread.</summary>
    public static void Compile()
    {
        const BindingFlags all = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
        foreach (var type in typeof(BdevHandover).GetNestedTypes(all).Append(typeof(BdevHandover)).Append(typeof(BdevQueue)).Append(typeof(BdevGeometry)))
            foreach (var method in type.GetMembers(all).OfType<MethodBase>())
                if (method is { IsAbstract: false, ContainsGenericParameters: false } && method is not ConstructorInfo { IsStatic: true }) RuntimeHelpers.PrepareMethod(method.MethodHandle);
    }

    /// <summary>Holds I/O to all of the bdevs and returns when none is outstanding.</summary>
    /// <exception cref="SpindleException">ETIMEDOUT, EBUSY; roll back then.</exception>
    public async Task HoldAsync(TimeSpan timeout)
    {
        long end = Stopwatch.GetTimestamp() + (long)(timeout.TotalSeconds * Stopwatch.Frequency);
        foreach (var (entry, bdev) in _bdevs)
        {
            if (entry.IsRemoving) throw new SpindleException(Errno.EBUSY, $"Bdev '{bdev.Name}' is being removed; try again when it is gone.");
            if (!await entry.ResetTurn.WaitAsync(timeout)) throw new SpindleException(Errno.ETIMEDOUT, $"Bdev '{bdev.Name}' is being reset, which does not end.");
            _resetTurns.Add(entry);
        }
        _heldAt = Stopwatch.GetTimestamp();
        _registry.CurrentHandover = this;
        foreach (var level in Levels())
        {
            foreach (var entry in level) entry.Handover = this;
            // Every thread is visited, not only those with a channel: a channel that is being made is finished then, and is seen.
            await VisitAsync(level, static (_, queue) => queue.HoldForHandover(), end, "hold I/O");
            for (int round = 0; ; round++)
            {
                var busy = new Found();
                await VisitAsync(level, (entry, queue) =>
                {
                    if (!queue.IsQuiet) Volatile.Write(ref busy.Value, entry);
                }, end, "hold I/O");
                if (busy.Value is not { } still) break;
                if (Stopwatch.GetTimestamp() > end)
                    throw new SpindleException(Errno.ETIMEDOUT, $"I/O of bdev '{still.Bdev.Name}' did not complete within {timeout.TotalSeconds:0.#} s.");
                if (round > 200) await Task.Delay(1);
                else await Task.Yield();
            }
        }
    }

    private sealed class Found
    {
        public BdevEntry? Value;
    }

    /// <summary>Makes what the new bdevs need on every thread.</summary>
    /// <exception cref="SpindleException">A bdev does not fit the one it replaces. Other exceptions come from the module.</exception>
    public async Task PrepareAsync(UpgradeState state, TimeSpan timeout)
    {
        long end = Stopwatch.GetTimestamp() + (long)(timeout.TotalSeconds * Stopwatch.Frequency);
        foreach (var (entry, old) in _bdevs)
        {
            var next = state.Bdevs.FirstOrDefault(b => b.Name == old.Name)?.Replacement
                ?? throw new SpindleException(Errno.EPROTO, $"The new version has no bdev for '{old.Name}'.");
            BdevGeometry.CheckReplacement(old, next, _registry.Iobuf.LargeBufferSize);
            _registry.Threads.RegisterDevice(next, "bdev_module_" + next.Name);
            _registered.Add(next);
            _next.Add(entry, next);
        }
        await VisitAsync([.. _next.Keys], (entry, queue) => queue.PrepareHandover(_next[entry]), end, "open channels");
    }

    /// <summary>The descriptor's events go to the new version once it is committed.</summary>
    public void Adopt(BdevDescriptor descriptor, BdevEventCallback events, object? state) => _adopted.Add((descriptor, events, state));

    /// <summary>The new bdevs take over. Cannot fail.</summary>
    public async Task CommitAsync(IModuleContext context)
    {
        foreach (var (entry, old) in _bdevs) _registry.Exchange(entry, old, _next[entry], Module, context);
        foreach (var (descriptor, events, state) in _adopted) descriptor.Redirect(events, state);
        await LetGoAsync(static queue => queue.CommitHandover());
        Pause = Stopwatch.GetElapsedTime(_heldAt);
        foreach (var (entry, _) in _bdevs)
        {
            BdevDescriptor[] open;
            lock (entry.DescriptorLock) open = [.. entry.Descriptors];
            foreach (var descriptor in open) descriptor.Notify(BdevEventType.Replaced);
        }
        _ended.TrySetResult();
        // Their channels are on their way out.
        foreach (var (_, old) in _bdevs) await _registry.Threads.UnregisterDeviceAsync(old);
    }

    /// <summary>The old bdevs go on. Cannot fail.</summary>
    public async Task RollbackAsync()
    {
        await LetGoAsync(static queue => queue.CancelHandover());
        if (_heldAt != 0) Pause = Stopwatch.GetElapsedTime(_heldAt);
        _ended.TrySetResult();
        foreach (var next in _registered) await _registry.Threads.UnregisterDeviceAsync(next);
    }

    private async Task LetGoAsync(Action<BdevQueue> release)
    {
        // First: a channel that is made from now on is not held.
        foreach (var (entry, _) in _bdevs) entry.Handover = null;
        if (ReferenceEquals(_registry.CurrentHandover, this)) _registry.CurrentHandover = null;
        await VisitAsync([.. _bdevs.Select(b => b.Entry)], (_, queue) => release(queue), long.MaxValue, "let I/O go on");
        foreach (var entry in _resetTurns) entry.ResetTurn.Release();
        _resetTurns.Clear();
    }

    /// <summary>Those on top first: a bdev that others of the module stand on, directly or through other modules' bdevs, is held after them.</summary>
    private List<List<BdevEntry>> Levels()
    {
        var depth = new Dictionary<BdevEntry, int>();
        foreach (var (entry, _) in _bdevs) depth[entry] = 0;
        // Registration order is bottom up, so going backwards sees each bdev after all that stand on it.
        for (int i = _bdevs.Count - 1; i >= 0; i--) Sink(_bdevs[i].Entry, depth[_bdevs[i].Entry], depth, 0);
        return [.. depth.GroupBy(p => p.Value).OrderBy(g => g.Key).Select(g => g.Select(p => p.Key).ToList())];
    }

    private void Sink(BdevEntry entry, int level, Dictionary<BdevEntry, int> depth, int guard)
    {
        if (guard > 32) return;
        foreach (var name in entry.Bdev.BaseBdevNames)
        {
            if (_registry.Find(name) is not { } lower) continue;
            var below = BdevRegistry.EntryOf(lower);
            int its = level;
            if (depth.TryGetValue(below, out int now)) depth[below] = its = Math.Max(now, level + 1);
            Sink(below, its, depth, guard + 1);
        }
    }

    /// <summary>Runs a function for each queue of the bdevs, on the queue's thread, all threads at once.</summary>
    private async Task VisitAsync(IReadOnlyCollection<BdevEntry> entries, Action<BdevEntry, BdevQueue> function, long end, string what)
    {
        if (entries.Count == 0) return;
        var visits = new List<Task>();
        foreach (var thread in _registry.Threads.Threads.Cast<StorageThreadCore>())
        {
            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            bool sent = thread.Send(_ =>
            {
                try
                {
                    foreach (var entry in entries)
                        if (thread.Channels.TryGetValue(entry, out var channel)) function(entry, ((BdevQueueChannel)channel).Queue);
                    done.TrySetResult();
                }
                catch (Exception e)
                {
                    done.TrySetException(e);
                }
            }, null);
            if (sent) visits.Add(done.Task);
        }
        var all = Task.WhenAll(visits);
        if (end == long.MaxValue)
        {
            await all;
            return;
        }
        try
        {
            await all.WaitAsync(TimeSpan.FromSeconds(Math.Max(0.001, (end - Stopwatch.GetTimestamp()) / (double)Stopwatch.Frequency)));
        }
        catch (TimeoutException)
        {
            throw new SpindleException(Errno.ETIMEDOUT, $"A reactor does not answer, so that it was not possible to {what}; spindle_get_health names what holds it.");
        }
    }
}

/// <content>An upgrade as one queue sees it.</content>
internal sealed unsafe partial class BdevQueue
{
    private bool _heldForHandover;
    private Bdev? _nextBdev;
    private IoChannel? _nextChannel;
    private Dictionary<BdevIo, object?>? _nextContexts;

    /// <summary>True when the module has no I/O of this queue and none waits to be finished.</summary>
    internal bool IsQuiet => Outstanding == 0 && _deferredHead == _deferredTail;

    internal void HoldForHandover()
    {
        if (_heldForHandover) return;
        _heldForHandover = true;
        Hold();
    }

    internal void PrepareHandover(Bdev next)
    {
        if (ReferenceEquals(Bdev, next) || _nextBdev is not null) return;
        var channel = Entry.Registry.Threads.GetChannel(next);
        try
        {
            var contexts = new Dictionary<BdevIo, object?>(ReferenceEqualityComparer.Instance);
            foreach (var io in All) contexts[io] = NextContext(io, next, channel);
            (_nextBdev, _nextChannel, _nextContexts) = (next, channel, contexts);
        }
        catch
        {
            Entry.Registry.Threads.PutChannel(channel);
            throw;
        }
    }

    // The module may look at what the I/O object belongs to.
    private object? NextContext(BdevIo io, Bdev next, IoChannel channel)
    {
        try
        {
            (io.Bdev, io.Channel) = (next, channel);
            return next.CreateIoContext(io);
        }
        finally
        {
            (io.Bdev, io.Channel) = (Bdev, ModuleChannel);
        }
    }

    internal void CommitHandover()
    {
        try
        {
            PrepareHandover(Entry.Bdev); // A channel that was made after the others were prepared.
            if (_nextBdev is { } next) TakeOver(next, _nextChannel!, _nextContexts!);
        }
        catch (Exception e)
        {
            Entry.Registry.OnModuleFault(Entry.Bdev, "taking over a channel", e);
        }
        (_nextBdev, _nextChannel, _nextContexts) = (null, null, null);
        EndHandover();
    }

    private void TakeOver(Bdev next, IoChannel channel, Dictionary<BdevIo, object?> contexts)
    {
        FlushNow();
        var old = ModuleChannel;
        // What the pool grew by since then.
        foreach (var io in All)
            if (!contexts.ContainsKey(io)) contexts[io] = NextContext(io, next, channel);
        foreach (var (io, context) in contexts) (io.Bdev, io.Channel, io.Context) = (next, channel, context);
        Bdev = next;
        ModuleChannel = channel;
        Limits = new BdevLimits(next, Entry.Registry.Iobuf.LargeBufferSize);
        _flushes = Flushes(next);
        Breadcrumbs.Release(_crumb);
        _crumb = Breadcrumbs.Acquire(BdevRegistry.ModuleOf(next), $"submit to bdev '{next.Name}'");
        _shortOfMemory = false;
        Entry.Registry.Threads.PutChannel(old);
    }

    internal void CancelHandover()
    {
        if (_nextChannel is { } channel) Entry.Registry.Threads.PutChannel(channel);
        (_nextBdev, _nextChannel, _nextContexts) = (null, null, null);
        EndHandover();
    }

    private void EndHandover()
    {
        if (!_heldForHandover) return;
        _heldForHandover = false;
        Release();
    }
}
