using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Spindle.Bdevs;
using Spindle.Host.Memory;
using Spindle.Host.Reactors;
using Spindle.Memory;
using Spindle.Modules;

namespace Spindle.Host.Bdevs;

/// <summary>Options of the bdev layer: <c>bdev_set_options</c>.</summary>
public sealed record BdevOptions
{
    /// <summary>I/O objects that all bdevs may have on all threads together. They are made as they are needed and kept.</summary>
    public int IoPoolSize { get; init; } = 65535;

    /// <summary>I/O objects that each bdev may have on each thread whatever the others have, so that none is starved; at most the pool's size.</summary>
    public int IoCacheSize { get; init; } = 256;

    /// <summary>Whether modules look at every new bdev.</summary>
    public bool AutoExamine { get; init; } = true;

    /// <summary>Bdevs that no module reads to find out what is on them, by name or alias; <c>*</c> and <c>?</c> stand for any characters and for one.
    /// One that was named to <c>bdev_examine</c> is read all the same. What was configured on them comes up as ever.</summary>
    public IReadOnlyList<string> ExamineDeny { get; init; } = [];

    /// <summary>Small iobuf buffers the layer keeps on each thread, for unaligned I/O and emulation.</summary>
    public int IobufSmallCacheSize { get; init; } = 128;

    /// <summary>Large iobuf buffers the layer keeps on each thread.</summary>
    public int IobufLargeCacheSize { get; init; } = 16;
}

/// <summary>A fault that was charged to a bdev's module.</summary>
/// <param name="Module">The module's name.</param>
/// <param name="Bdev">The bdev's name.</param>
/// <param name="Where">What it did: "submit", "completed a second time or too late" …</param>
/// <param name="Text">The exception as text; empty when there was none.</param>
public sealed record ModuleFault(string Module, string Bdev, string Where, string Text);

/// <summary>One open of a bdev.</summary>
/// <param name="Module">Who opened it.</param>
/// <param name="IsWritable">For writing too.</param>
/// <param name="Purpose">What for, in the opener's words; may be empty.</param>
/// <param name="HasClaim">The bdev's claim is held through it.</param>
public sealed record BdevOpen(string Module, bool IsWritable, string Purpose, bool HasClaim);

/// <summary>All bdevs of a host. The control-plane members run on the app thread; <see cref="ForModule"/> gives a module its view.</summary>
public sealed partial class BdevRegistry : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, BdevEntry> _names = new(StringComparer.Ordinal);
    private readonly List<BdevEntry> _entries = [];
    private readonly ILogger _log;
    private DmaBuffer? _zeroes;
    private long _faultsLogged;

    /// <param name="threads">The reactors.</param>
    /// <param name="memory">For the buffer of zeroes.</param>
    /// <param name="iobuf">For unaligned I/O and emulation.</param>
    /// <param name="notifications">Told of <c>bdev_register</c> and <c>bdev_unregister</c>; may be null.</param>
    /// <param name="log">May be null.</param>
    public BdevRegistry(ReactorSystem threads, IDmaMemory memory, IobufPools iobuf, INotifications? notifications = null, ILogger? log = null)
    {
        Threads = threads;
        Memory = memory;
        Iobuf = iobuf;
        Budget = new BdevBudget(iobuf);
        Notifications = notifications;
        notifications?.RegisterType("bdev_register");
        notifications?.RegisterType("bdev_unregister");
        _log = log ?? NullLogger.Instance;
        Examiner = new BdevExaminer(this, _log);
    }

    internal ReactorSystem Threads { get; }
    internal IDmaMemory Memory { get; }
    internal IobufPools Iobuf { get; }
    internal INotifications? Notifications { get; }

    /// <summary>The modules that look at new bdevs.</summary>
    public BdevExaminer Examiner { get; }

    /// <summary>The options in force.</summary>
    public BdevOptions Options
    {
        get => Budget.Options;
        set => Budget.Options = value;
    }

    /// <summary>What the queues share by these options.</summary>
    internal BdevBudget Budget { get; }

    /// <summary>Told of faults of modules; on the storage thread where one happened.</summary>
    public event Action<ModuleFault>? ModuleFaulted;

    /// <summary>Told on the app thread when a bdev was registered.</summary>
    public event Action<Bdev>? Registered;

    /// <summary>A vector of zeroes for emulated write zeroes.</summary>
    internal IoVec Zeroes
    {
        get
        {
            lock (_lock)
            {
                _zeroes ??= Memory.Allocate(ZeroesSize);
                return _zeroes.Slice(0, ZeroesSize);
            }
        }
    }

    internal const uint ZeroesSize = 1024 * 1024;

    /// <summary>All registered bdevs in the order of registration.</summary>
    public IReadOnlyList<Bdev> All
    {
        get
        {
            lock (_lock) return [.. _entries.Select(e => e.Bdev)];
        }
    }

    /// <summary>Looks a bdev up by name, alias or UUID.</summary>
    public Bdev? Find(string name)
    {
        lock (_lock) return FindEntry(name)?.Bdev;
    }

    private BdevEntry? FindEntry(string name)
    {
        if (_names.TryGetValue(name, out var entry)) return entry;
        return Guid.TryParse(name, out var uuid) && _names.TryGetValue(uuid.ToString(), out entry) ? entry : null;
    }

    internal static BdevEntry EntryOf(Bdev bdev) => bdev.HostEntry as BdevEntry
        ?? throw new SpindleException(Errno.ENODEV, $"Bdev '{bdev.Name}' is not registered.");

    /// <summary>The upgrade that holds I/O now; null when there is none. On the app thread.</summary>
    internal BdevHandover? CurrentHandover { get; set; }

    /// <summary>The entries of a module's bdevs, in the order of registration.</summary>
    internal IReadOnlyList<BdevEntry> EntriesOf(string module)
    {
        lock (_lock) return [.. _entries.Where(e => e.Bdev.ModuleName == module)];
    }

    /// <summary>All entries.</summary>
    internal IReadOnlyList<BdevEntry> Entries
    {
        get
        {
            lock (_lock) return [.. _entries];
        }
    }

    /// <summary>Who uses a module's bdevs: "bdev by module", one for each open descriptor of another module.</summary>
    public IReadOnlyList<string> UsesOf(string module)
    {
        var uses = new List<string>();
        foreach (var entry in EntriesOf(module))
            lock (entry.DescriptorLock)
                uses.AddRange(entry.Descriptors.Where(d => d.Module != module).Select(d => $"bdev '{entry.Bdev.Name}' is open by {d.Module}").Distinct());
        return uses;
    }

    /// <summary>Puts another version's bdev in the place of one.</summary>
    internal void Exchange(BdevEntry entry, Bdev old, Bdev next, string module, IModuleContext context)
    {
        lock (_lock)
        {
            next.BlockCount = old.BlockCount;
            next.Uuid = old.Uuid;
            next.Aliases.Clear();
            foreach (string alias in old.Aliases) next.Aliases.Add(alias);
            (next.HostEntry, next.ModuleName, next.Context) = (entry, module, context);
            (old.HostEntry, old.Context) = (null, null);
            entry.Bdev = next;
        }
    }

    internal void Adopt(BdevDescriptor descriptor, string module, BdevEventCallback events, object? state)
    {
        ArgumentNullException.ThrowIfNull(events);
        if (descriptor.IsClosed) throw new SpindleException(Errno.EBADF, "The descriptor is closed.");
        if (CurrentHandover is not { } handover || handover.Module != module || descriptor.Module != module)
            throw new SpindleException(Errno.EINVAL, $"Module '{module}' is not being upgraded, or the descriptor is not its own.");
        handover.Adopt(descriptor, events, state);
    }

    /// <summary>The registry as one module sees it.</summary>
    /// <param name="module">The module's name.</param>
    /// <param name="context">Gives the module's context once there is one; stored with its bdevs.</param>
    public IBdevRegistry ForModule(string module, Func<IModuleContext?>? context = null) => new ModuleBdevRegistry(this, module, context);

    /// <summary>Makes a bdev known, and has it examined.</summary>
    internal void Register(Bdev bdev, string module, IModuleContext? context)
    {
        BdevGeometry.Check(bdev, Iobuf.LargeBufferSize);
        if (bdev.Uuid == Guid.Empty) bdev.Uuid = Guid.NewGuid();
        var entry = new BdevEntry(this, bdev);
        lock (_lock)
        {
            if (bdev.HostEntry is not null) throw new SpindleException(Errno.EEXIST, $"Bdev '{bdev.Name}' is registered already.");
            var names = Names(bdev).ToArray();
            foreach (string name in names)
            {
                if (_names.TryGetValue(name, out var other))
                    throw new SpindleException(Errno.EEXIST, $"The bdev name '{name}' is taken by bdev '{other.Bdev.Name}'; choose another.");
            }
            Threads.RegisterDevice(bdev, "bdev_module_" + bdev.Name);
            Threads.RegisterDevice(entry, "bdev_" + bdev.Name);
            foreach (string name in names) _names[name] = entry;
            _entries.Add(entry);
            bdev.HostEntry = entry;
            bdev.ModuleName = module;
            bdev.Context = context;
        }
        Notifications?.Notify("bdev_register", bdev.Name);
        Registered?.Invoke(bdev);
        Examiner.OnRegistered(bdev);
    }

    private static IEnumerable<string> Names(Bdev bdev) => bdev.Aliases.Append(bdev.Uuid.ToString()).Prepend(bdev.Name).Distinct();

    /// <summary>Takes a bdev away; see <see cref="IBdevRegistry.UnregisterAsync"/>.</summary>
    public async Task UnregisterAsync(Bdev bdev)
    {
        var entry = EntryOf(bdev);
        while (entry.Handover is { } handover) await handover.Ended;
        bdev = entry.Bdev;
        lock (_lock)
        {
            if (entry.IsRemoving) throw new SpindleException(Errno.ENODEV, $"Bdev '{bdev.Name}' is being removed already.");
            entry.IsRemoving = true;
        }
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        BdevDescriptor[] open;
        lock (entry.DescriptorLock)
        {
            entry.AllClosed = closed;
            open = [.. entry.Descriptors];
            if (open.Length == 0) closed.TrySetResult();
        }
        // Openers wait for their I/O before they close; no limit keeps it from them.
        _ = entry.Qos.LiftAsync();
        _ = entry.Quiesces.OnRemovingAsync();
        foreach (var descriptor in open) descriptor.Notify(BdevEventType.Remove);
        await closed.Task;
        await entry.Depth.StopAsync();
        await Threads.UnregisterDeviceAsync(entry);
        await Threads.UnregisterDeviceAsync(bdev);
        try
        {
            await bdev.DestructAsync();
        }
        catch (Exception exception)
        {
            OnModuleFault(bdev, "destruct", exception);
        }
        lock (_lock)
        {
            foreach (string name in _names.Where(p => ReferenceEquals(p.Value, entry)).Select(p => p.Key).ToArray()) _names.Remove(name);
            _entries.Remove(entry);
            bdev.HostEntry = null;
            bdev.Context = null;
        }
        Notifications?.Notify("bdev_unregister", bdev.Name);
    }

    internal BdevDescriptor Open(string name, BdevOpenOptions options, string module, BdevEventCallback events, object? state)
    {
        ArgumentNullException.ThrowIfNull(events);
        BdevEntry entry;
        lock (_lock) entry = FindEntry(name) ?? throw new SpindleException(Errno.ENODEV, $"There is no bdev '{name}'.");
        lock (entry.DescriptorLock)
        {
            if (entry.IsRemoving) throw new SpindleException(Errno.ENODEV, $"Bdev '{name}' is being removed.");
            if (options.Write && !entry.Claims.AllowsWriter)
            {
                throw new SpindleException(Errno.EPERM,
                    $"Bdev '{name}' cannot be opened for writing: it is claimed by {entry.Claims.HolderName} ({BdevClaims.WireName(entry.Claims.Type)}).");
            }
            if (options.HideMetadata) BdevProtection.CheckHiding(entry.Bdev, Iobuf.LargeBufferSize);
            var descriptor = new BdevDescriptor(entry, options, module, events, state);
            entry.Descriptors.Add(descriptor);
            return descriptor;
        }
    }

    internal static void Claim(BdevDescriptor descriptor, BdevClaimType type, string name, string module, ulong sharedKey)
    {
        lock (descriptor.Entry.DescriptorLock)
        {
            if (descriptor.IsClosed) throw new SpindleException(Errno.EBADF, "The descriptor is closed.");
            descriptor.Entry.Claims.Add(descriptor, descriptor.Entry.Descriptors, type, name.Length == 0 ? module : name, module, sharedKey);
        }
    }

    internal static void Release(BdevDescriptor descriptor)
    {
        lock (descriptor.Entry.DescriptorLock) descriptor.Entry.Claims.Remove(descriptor);
    }

    /// <summary>The quiesced ranges of a bdev, for a module that may say what they are.</summary>
    /// <exception cref="SpindleException">EPERM: it neither registered the bdev nor has a claim on it. ENODEV.</exception>
    internal BdevQuiesces QuiescesOf(Bdev bdev, string module)
    {
        var entry = EntryOf(bdev);
        lock (entry.DescriptorLock)
        {
            if (entry.Bdev.ModuleName != module && !entry.Claims.Holders.Any(h => h.Module == module))
                throw new SpindleException(Errno.EPERM, $"Bdev '{bdev.Name}' belongs to module '{entry.Bdev.ModuleName}', and '{module}' has no claim on it.");
        }
        return entry.Quiesces;
    }

    internal void AddAlias(Bdev bdev, string alias)
    {
        if (alias.Length == 0) throw new SpindleException(Errno.EINVAL, "An alias has at least one character.");
        lock (_lock)
        {
            if (_names.TryGetValue(alias, out var other)) throw new SpindleException(Errno.EEXIST, $"The name '{alias}' is taken by bdev '{other.Bdev.Name}'.");
            _names[alias] = EntryOf(bdev);
            bdev.Aliases.Add(alias);
        }
    }

    internal void RemoveAlias(Bdev bdev, string alias)
    {
        lock (_lock)
        {
            if (!bdev.Aliases.Remove(alias)) throw new SpindleException(Errno.ENOENT, $"Bdev '{bdev.Name}' has no alias '{alias}'.");
            _names.Remove(alias);
        }
    }

    internal static void Resize(Bdev bdev, ulong blockCount)
    {
        var entry = EntryOf(bdev);
        BdevDescriptor[] open;
        lock (entry.DescriptorLock)
        {
            if (blockCount == bdev.BlockCount) return;
            if (blockCount < bdev.BlockCount && entry.Descriptors.Count > 0)
                throw new SpindleException(Errno.EBUSY, $"Bdev '{bdev.Name}' is open; it can shrink only while nobody uses it.");
            if (blockCount == 0 || blockCount > ulong.MaxValue / bdev.BlockSize)
                throw new SpindleException(Errno.EINVAL, $"{blockCount} blocks of {bdev.BlockSize} bytes are not a size a bdev can have.");
            if (bdev.IsZoned && blockCount % bdev.ZoneSizeBlocks != 0)
                throw new SpindleException(Errno.EINVAL, $"{blockCount} blocks are no whole number of zones of {bdev.ZoneSizeBlocks} blocks.");
            bdev.BlockCount = blockCount;
            open = [.. entry.Descriptors];
        }
        foreach (var descriptor in open) descriptor.Notify(BdevEventType.Resize);
    }

    internal void OnModuleFault(Bdev bdev, string where, Exception exception) => OnModuleFault(bdev, where, exception.ToString());

    internal void OnModuleFault(Bdev bdev, string where, string text)
    {
        // A module that throws for each I/O does so often: say it once per power of two.
        long count = Interlocked.Increment(ref _faultsLogged);
        if ((count & (count - 1)) == 0)
            _log.LogError("Module {Module} is faulty: bdev {Bdev}, in {Where} ({Count} so far). {Text}", ModuleOf(bdev), bdev.Name, where, count, text);
        ModuleFaulted?.Invoke(new ModuleFault(bdev.ModuleName, bdev.Name, where, text));
    }

    /// <summary>A module threw where it must not, other than for an I/O.</summary>
    internal void OnModuleFault(string module, string bdev, string where, string text) => ModuleFaulted?.Invoke(new ModuleFault(module, bdev, where, text));

    /// <summary>Name and version of a bdev's module.</summary>
    internal static string ModuleOf(Bdev bdev) => bdev.Context is { } context ? $"{context.ModuleName} {context.ModuleVersion}" : bdev.ModuleName;

    private readonly Lock _badLock = new();
    private readonly Dictionary<string, long> _badCompletions = [];

    /// <summary>Second, late or misplaced completions by module.</summary>
    public long BadCompletionsOf(string module)
    {
        lock (_badLock) return _badCompletions.GetValueOrDefault(module);
    }

    internal void OnBadCompletion(Bdev bdev, string how)
    {
        // A module that does this does it often: say it once per power of two.
        long count;
        lock (_badLock) _badCompletions[bdev.ModuleName] = count = _badCompletions.GetValueOrDefault(bdev.ModuleName) + 1;
        if ((count & (count - 1)) == 0)
            _log.LogError("Module {Module} completed an I/O of bdev {Bdev} {How}; refused ({Count} so far).", ModuleOf(bdev), bdev.Name, how, count);
        ModuleFaulted?.Invoke(new ModuleFault(bdev.ModuleName, bdev.Name, "completed " + how, ""));
    }

    /// <summary>Takes a faulty module's bdevs away: those that sit on others first. I/O it does not complete within the grace period is failed for it.</summary>
    public async Task RemoveAllOfAsync(string module, TimeSpan grace)
    {
        BdevEntry[] entries;
        lock (_lock) entries = [.. _entries.Where(e => e.Bdev.ModuleName == module && !e.IsRemoving).Reverse()];
        await RemoveAsync(entries, grace);
    }

    /// <summary>Takes a bdev away whose module does not complete its I/O.</summary>
    internal Task RemoveStuckAsync(BdevEntry entry, TimeSpan grace) => entry.IsRemoving ? Task.CompletedTask : RemoveAsync([entry], grace);

    private async Task RemoveAsync(BdevEntry[] entries, TimeSpan grace)
    {
        var removals = entries.Select(e => UnregisterAsync(e.Bdev)).ToArray();
        var all = Task.WhenAll(removals);
        // A virtual bdev may hand over what waits only as the one above it goes: again until they are gone.
        while (await Task.WhenAny(all, Task.Delay(grace)) != all)
        {
            foreach (var entry in entries.Where(e => e.Bdev.HostEntry is not null))
            {
                // All threads at once: one on a reactor that hangs must not keep the others' I/O.
                _ = FailOutstandingAsync(entry);
            }
        }
        await all;
    }

    private Task FailOutstandingAsync(BdevEntry entry) => Threads.ForEachChannelAtOnceAsync(entry, static channel => ((BdevQueueChannel)channel).Queue.FailOutstanding());

    /// <inheritdoc/>
    public void Dispose() => _zeroes?.Dispose();
}
