using Spindle.Modules;

namespace Spindle.Host.Notifications;

/// <summary>One event: <c>notify_get_notifications</c>.</summary>
/// <param name="Id">From 0, one more for each event of the process.</param>
/// <param name="Type">"bdev_register" for example.</param>
/// <param name="Context">The name of what it happened to.</param>
public readonly record struct Notification(ulong Id, string Type, string Context);

/// <summary>The latest events, the oldest overwritten first. All members may be used on any thread.</summary>
/// <param name="capacity">Events kept (1,024 in SPDK).</param>
public sealed class NotificationRing(int capacity = 1024) : INotifications
{
    readonly Lock _lock = new();
    readonly List<string> _types = [];
    readonly Notification[] _events = new Notification[capacity];
    ulong _next;

    /// <summary>The types, the latest first, as SPDK lists them.</summary>
    public IReadOnlyList<string> Types
    {
        get
        {
            lock (_lock)
            {
                return [.. _types.AsEnumerable().Reverse()];
            }
        }
    }

    /// <inheritdoc/>
    public void RegisterType(string type)
    {
        lock (_lock)
        {
            if (!_types.Contains(type))
            {
                _types.Add(type);
            }
        }
    }

    /// <inheritdoc/>
    public void Notify(string type, string context)
    {
        lock (_lock)
        {
            RegisterType(type);
            _events[_next % (ulong)capacity] = new Notification(_next, type, context);
            _next++;
        }
    }

    /// <summary>The events from an id on, or from the oldest kept, if that is later.</summary>
    /// <param name="from">The first id wanted.</param>
    /// <param name="max">How many at most.</param>
    public IReadOnlyList<Notification> Get(ulong from = 0, ulong max = ulong.MaxValue)
    {
        lock (_lock)
        {
            var oldest = _next > (ulong)capacity ? _next - (ulong)capacity : 0;
            var start = Math.Max(from, oldest);
            var result = new List<Notification>();
            for (var id = start; id < _next && (ulong)result.Count < max; id++)
            {
                result.Add(_events[id % (ulong)capacity]);
            }
            return result;
        }
    }
}
