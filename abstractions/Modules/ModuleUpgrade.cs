using Spindle.Bdevs;

namespace Spindle.Modules;

/// <summary>How a module hands its work to another version of itself while hosts go on doing I/O. A module that can returns one from
/// <see cref="PluginModule.Upgrade"/>. All members are called on the app thread.</summary>
/// <remarks><para>The order: the new version is loaded, composed and started (<see cref="BdevModule.InitializeAsync"/>, with
/// <see cref="IModuleContext.IsUpgrade"/> true) while the old one still serves. The old one is told by <see cref="PrepareAsync"/>. Then I/O
/// to the module's bdevs is held and what is outstanding completes: from here to the end of the list hosts wait, so nothing may block. The old one
/// <see cref="Export"/>s, the new one <see cref="Import"/>s, the host gives each bdev's channels and I/O objects over, and lets I/O go on. The old one
/// is told by <see cref="Commit"/>, stopped and unloaded.</para>
/// <para>When anything fails before that, the new version is told by <see cref="Discard"/> if it had imported, and stopped; the old one goes on after
/// <see cref="Rollback"/>.</para></remarks>
public abstract class ModuleUpgrade
{
    /// <summary>The version of the state that <see cref="Export"/> writes, from 1. Raise it when an older <see cref="Import"/> would misread it.</summary>
    public abstract int StateVersion { get; }

    /// <summary>The oldest version of the state that <see cref="Import"/> reads.</summary>
    public virtual int OldestStateVersion => StateVersion;

    /// <summary>Old version: get ready; I/O still comes. Work in the background that would change the state is ended here.</summary>
    public virtual Task PrepareAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Old version: writes down everything that the new one needs. No I/O is outstanding. What is handed over stays this version's until <see cref="Commit"/>.</summary>
    public abstract void Export(UpgradeState state);

    /// <summary>New version: makes from the state a bdev for each one there is (<see cref="BdevState.Replacement"/>), with the same name, identity and
    /// geometry, without registering it. What was handed over must be left unharmed, since the old version may have to go on.</summary>
    /// <exception cref="SpindleException">The state cannot be used; the upgrade is rolled back.</exception>
    public abstract void Import(UpgradeState state);

    /// <summary>Old version: what was exported is the new version's now. Let go of it without closing it. <see cref="Bdev.DestructAsync"/> is not called for
    /// bdevs that were handed over; <see cref="PluginModule.StopAsync"/> follows.</summary>
    public virtual void Commit() { }

    /// <summary>Old version: the upgrade did not happen; I/O comes again.</summary>
    public virtual void Rollback() { }

    /// <summary>New version: the upgrade did not happen. Let go of what was imported without closing it.</summary>
    public virtual void Discard() { }
}

/// <summary>Values by name, handed from one version of a module to another. Values are of types that outlive both: strings, numbers, booleans,
/// <see cref="Guid"/>, byte arrays, and the host's objects (memory, files, sockets, descriptors …), never the module's own types.</summary>
public abstract class StateValues
{
    private readonly Dictionary<string, object> _values = new(StringComparer.Ordinal);

    internal StateValues() { }

    /// <summary>The names that were set.</summary>
    public IReadOnlyCollection<string> Names => _values.Keys;

    /// <summary>Sets a value.</summary>
    /// <exception cref="ArgumentException">The value's type is the module's own, which would keep its code loaded.</exception>
    public void Set(string name, object value)
    {
        ArgumentNullException.ThrowIfNull(value);
        // An array or a generic list of the module's own types is loaded by the same collectible context.
        if (value.GetType().IsCollectible)
            throw new ArgumentException($"'{name}' is a {value.GetType().FullName}, a type of the module itself; hand over its parts.", nameof(value));
        _values[name] = value;
    }

    /// <summary>True when there is a value of that name.</summary>
    public bool Has(string name) => _values.ContainsKey(name);

    /// <summary>Reads a value.</summary>
    /// <exception cref="SpindleException">EPROTO: there is none of that name, or it is of another type.</exception>
    public T Get<T>(string name) => _values.TryGetValue(name, out var value)
        ? value is T fits ? fits : throw new SpindleException(Errno.EPROTO, $"The state's '{name}' is a {value.GetType().Name}, not a {typeof(T).Name}.")
        : throw new SpindleException(Errno.EPROTO, $"The state has no '{name}'.");

    /// <summary>Reads a value, or gives another when there is none of that name: for values that later versions added.</summary>
    public T Get<T>(string name, T absent) => Has(name) ? Get<T>(name) : absent;
}

/// <summary>What a module hands over: values of its own, and those of each of its bdevs.</summary>
public sealed class UpgradeState : StateValues
{
    private readonly List<BdevState> _bdevs = [];

    internal UpgradeState(int version) => Version = version;

    /// <summary>The <see cref="ModuleUpgrade.StateVersion"/> of the version that wrote it.</summary>
    public int Version { get; }

    /// <summary>One for each bdev that was added.</summary>
    public IReadOnlyList<BdevState> Bdevs => _bdevs;

    /// <summary>Old version: adds a bdev. Each one that is registered has to be added.</summary>
    public BdevState Add(Bdev bdev)
    {
        var state = new BdevState(bdev.Name, bdev.Uuid, bdev.BlockCount);
        _bdevs.Add(state);
        return state;
    }
}

/// <summary>What a module hands over of one bdev.</summary>
public sealed class BdevState : StateValues
{
    internal BdevState(string name, Guid uuid, ulong blockCount) => (Name, Uuid, BlockCount) = (name, uuid, blockCount);

    /// <summary>The bdev's name.</summary>
    public string Name { get; }

    /// <summary>The bdev's identity.</summary>
    public Guid Uuid { get; }

    /// <summary>The bdev's blocks as of now.</summary>
    public ulong BlockCount { get; }

    /// <summary>New version: the bdev that takes over. The host gives it the UUID and aliases of the old one.</summary>
    public Bdev? Replacement { get; set; }
}
