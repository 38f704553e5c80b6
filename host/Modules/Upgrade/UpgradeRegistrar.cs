using Spindle.Rpc;

namespace Spindle.Host.Modules.Upgrade;

/// <summary>Keeps the methods of a version that is to take over, until it does; then registers at once. On the app thread.</summary>
internal sealed class UpgradeRegistrar : IRpcRegistrar
{
    private readonly List<RpcMethodHandler> _handlers = [];
    private IRpcRegistrar? _target;

    /// <summary>What was registered so far.</summary>
    public IReadOnlyList<RpcMethodHandler> Handlers => _handlers;

    public void Register(RpcMethodHandler handler)
    {
        if (_target is not null) _target.Register(handler);
        else _handlers.Add(handler);
    }

    /// <summary>From now on methods go to <paramref name="target"/>; those kept are forgotten.</summary>
    public void Open(IRpcRegistrar target)
    {
        _target = target;
        _handlers.Clear();
    }
}
