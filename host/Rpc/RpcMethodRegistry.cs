using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using Spindle.Rpc;

namespace Spindle.Host.Rpc;

/// <summary>The RPC methods of the host and its modules. All members may be used on any thread.</summary>
public sealed class RpcMethodRegistry(ILogger<RpcMethodRegistry> logger)
{
    readonly Lock _lock = new();
    readonly Dictionary<string, RpcMethodEntry> _methods = new(StringComparer.Ordinal);
    readonly List<string> _order = [];
    readonly ConcurrentDictionary<string, Gate> _gates = new(StringComparer.Ordinal);
    readonly Dictionary<string, Drain> _calls = new(StringComparer.Ordinal);
    RpcPhase _phase = RpcPhase.Startup;

    sealed class Drain
    {
        public int Count;
        public TaskCompletionSource? Empty;
    }

    /// <summary><see cref="RpcPhase.Startup"/> until the framework is initialized, then <see cref="RpcPhase.Runtime"/>.</summary>
    public RpcPhase Phase
    {
        get => _phase;
        set => _phase = value is RpcPhase.Startup or RpcPhase.Runtime ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "The framework is in one phase at a time.");
    }

    /// <summary>Methods of the host that run on the caller's thread, whatever the app thread is at; they are named here, not by their declaration, since no module may have any.</summary>
    internal static bool RunsAnywhere(string method) => method == "spindle_get_health";

    /// <summary>Where a module's methods are registered.</summary>
    /// <param name="owner">The module's name; "spindle" for the host's own.</param>
    public IRpcRegistrar ForModule(string owner) => new Registrar(this, owner);

    sealed class Registrar(RpcMethodRegistry registry, string owner) : IRpcRegistrar
    {
        public void Register(RpcMethodHandler handler) => registry.Register(handler, owner);
    }

    void Register(RpcMethodHandler handler, string owner)
    {
        lock (_lock)
        {
            string[] names = [handler.Name, .. handler.DeprecatedAliases];
            foreach (var name in names)
            {
                if (_methods.TryGetValue(name, out var taken))
                {
                    throw new SpindleException(Errno.EEXIST,
                        $"RPC method '{name}' of module '{owner}' is registered already, by module '{taken.Owner}'; rename it, or load only one of the two.");
                }
            }
            foreach (var name in names)
            {
                _methods.Add(name, new RpcMethodEntry(name, owner, handler));
                _order.Add(name);
            }
        }
    }

    /// <summary>Keeps new calls of a module's methods waiting until the returned object is disposed, and returns when none runs.</summary>
    /// <exception cref="SpindleException">ETIMEDOUT: a call does not end.</exception>
    internal async Task<IDisposable> HoldAsync(string owner, TimeSpan timeout)
    {
        var gate = new Gate(this, owner);
        Task idle = Task.CompletedTask;
        lock (_lock)
        {
            if (!_gates.TryAdd(owner, gate)) throw new SpindleException(Errno.EBUSY, $"The RPC methods of module '{owner}' are being exchanged already.");
            if (_calls.TryGetValue(owner, out var drain)) idle = (drain.Empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
        try
        {
            await idle.WaitAsync(timeout);
            return gate;
        }
        catch (TimeoutException)
        {
            gate.Dispose();
            throw new SpindleException(Errno.ETIMEDOUT, $"An RPC call of module '{owner}' did not end within {timeout.TotalSeconds:0.#} s.");
        }
    }

    /// <summary>What a call of the method has to wait for first; null for nothing.</summary>
    internal Task? GateOf(string method)
    {
        if (_gates.IsEmpty) return null;
        lock (_lock) return _methods.TryGetValue(method, out var entry) && _gates.TryGetValue(entry.Owner, out var gate) ? gate.Opened : null;
    }

    /// <summary>Refuses handlers that could not be registered in the place of a module's present ones.</summary>
    /// <exception cref="SpindleException">EEXIST: another module has a method of that name.</exception>
    internal void CheckReplacement(string owner, IReadOnlyList<RpcMethodHandler> handlers)
    {
        var names = handlers.SelectMany(h => h.DeprecatedAliases.Prepend(h.Name)).ToList();
        if (names.GroupBy(n => n).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new SpindleException(Errno.EEXIST, $"RPC method '{twice.Key}' of module '{owner}' is registered twice; rename one.");
        lock (_lock)
            foreach (var name in names)
                if (_methods.TryGetValue(name, out var taken) && taken.Owner != owner)
                    throw new SpindleException(Errno.EEXIST, $"RPC method '{name}' of module '{owner}' is registered already, by module '{taken.Owner}'; rename it.");
    }

    /// <summary>Puts handlers in the place of all of a module's, while its calls are held.</summary>
    internal void Replace(string owner, IReadOnlyList<RpcMethodHandler> handlers)
    {
        lock (_lock)
        {
            foreach (var name in _methods.Values.Where(m => m.Owner == owner).Select(m => m.Name).ToArray())
            {
                _methods.Remove(name);
                _order.Remove(name);
            }
            foreach (var handler in handlers) Register(handler, owner);
        }
    }

    sealed class Gate(RpcMethodRegistry registry, string owner) : IDisposable
    {
        readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Opened => _opened.Task;

        public void Dispose()
        {
            registry._gates.TryRemove(new KeyValuePair<string, Gate>(owner, this));
            _opened.TrySetResult();
        }
    }

    /// <summary>Takes a module's methods away and returns when no call of them runs any more.</summary>
    public Task WithdrawAsync(string owner)
    {
        lock (_lock)
        {
            foreach (var name in _methods.Values.Where(m => m.Owner == owner).Select(m => m.Name).ToArray())
            {
                _methods.Remove(name);
                _order.Remove(name);
            }
            if (!_calls.TryGetValue(owner, out var drain))
            {
                return Task.CompletedTask;
            }
            return (drain.Empty ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    /// <summary>The names, the newest first as SPDK lists them.</summary>
    /// <param name="current">Only those that may be called now.</param>
    /// <param name="includeAliases">Deprecated names too.</param>
    public IReadOnlyList<string> Names(bool current = false, bool includeAliases = false)
    {
        lock (_lock)
        {
            return [.. _order.AsEnumerable().Reverse().Where(n => (includeAliases || !_methods[n].IsAlias) && (!current || (_methods[n].Handler.Phase & _phase) != 0))];
        }
    }

    /// <summary>The methods, without their aliases.</summary>
    internal IReadOnlyList<RpcMethodEntry> Entries
    {
        get
        {
            lock (_lock) return [.. _methods.Values.Where(entry => !entry.IsAlias)];
        }
    }

    /// <summary>Looks a method up, by an alias too, whether or not it may be called now.</summary>
    public bool TryFind(string name, [NotNullWhen(true)] out RpcMethodHandler? handler)
    {
        lock (_lock)
        {
            handler = _methods.GetValueOrDefault(name)?.Handler;
            return handler is not null;
        }
    }

    /// <summary>The module that registered a method; null when there is no such method.</summary>
    public string? OwnerOf(string name)
    {
        lock (_lock)
        {
            return _methods.GetValueOrDefault(name)?.Owner;
        }
    }

    /// <summary>Finds the handler of a call and counts the call as running until <see cref="EndCall"/>.</summary>
    /// <exception cref="RpcException">There is no such method, or it may not be called now.</exception>
    internal RpcMethodEntry BeginCall(string name, bool inAnyPhase = false)
    {
        RpcMethodEntry? entry;
        lock (_lock)
        {
            if (!_methods.TryGetValue(name, out entry))
            {
                throw new RpcException(RpcErrorCode.MethodNotFound, "Method not found");
            }
            if (!inAnyPhase && (entry.Handler.Phase & _phase) == 0)
            {
                throw new RpcException(RpcErrorCode.InvalidState, _phase == RpcPhase.Startup
                    ? "Method may only be called after framework is initialized using framework_start_init RPC."
                    : "Method may only be called before framework is initialized. Use --wait-for-rpc command line parameter and then issue this RPC before the framework_start_init RPC.");
            }
            if (!_calls.TryGetValue(entry.Owner, out var drain))
            {
                _calls.Add(entry.Owner, drain = new Drain());
            }
            drain.Count++;
        }
        if (entry.IsAlias && entry.WarnOnce())
        {
            logger.LogWarning("RPC method {Alias} is deprecated.  Use {Method} instead.", entry.Name, entry.Handler.Name);
        }
        return entry;
    }

    internal void EndCall(RpcMethodEntry entry)
    {
        lock (_lock)
        {
            var drain = _calls[entry.Owner];
            if (--drain.Count == 0)
            {
                _calls.Remove(entry.Owner);
                drain.Empty?.TrySetResult();
            }
        }
    }
}

/// <summary>A name on the wire and what it calls.</summary>
internal sealed class RpcMethodEntry(string name, string owner, RpcMethodHandler handler)
{
    int _warned;

    public string Name { get; } = name;

    public string Owner { get; } = owner;

    public RpcMethodHandler Handler { get; } = handler;

    public bool IsAlias { get; } = name != handler.Name;

    /// <summary>True the first time.</summary>
    public bool WarnOnce() => Interlocked.Exchange(ref _warned, 1) == 0;
}
