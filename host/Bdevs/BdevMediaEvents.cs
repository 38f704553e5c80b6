using Spindle.Bdevs;

namespace Spindle.Host.Bdevs;

/// <summary>The media events that wait for one opener. On any thread.</summary>
internal sealed class BdevMediaEvents
{
    /// <summary>How many may wait, as in SPDK: a module says again what must not be lost.</summary>
    public const int Limit = 64;

    private readonly Queue<BdevMediaEvent> _waiting = new();

    /// <summary>Adds events.</summary>
    /// <returns>How many there was room for.</returns>
    public int Add(IReadOnlyList<BdevMediaEvent> events)
    {
        lock (_waiting)
        {
            int room = Math.Min(events.Count, Limit - _waiting.Count);
            for (int i = 0; i < room; i++) _waiting.Enqueue(events[i]);
            return room;
        }
    }

    /// <summary>Takes the oldest events out.</summary>
    /// <returns>How many.</returns>
    public int Take(Span<BdevMediaEvent> events)
    {
        int count = 0;
        lock (_waiting)
            while (count < events.Length && _waiting.TryDequeue(out var one)) events[count++] = one;
        return count;
    }
}
