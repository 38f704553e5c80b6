namespace Spindle.Host.Environments;

/// <summary>Something in a <see cref="TimerHeap{T}"/>.</summary>
internal abstract class TimerNode
{
    /// <summary>When, in the heap's unit.</summary>
    internal long Due;

    /// <summary>Breaks ties: what was added first comes first.</summary>
    internal long Sequence;

    /// <summary>Its place in the heap; -1 when in none.</summary>
    internal int HeapIndex = -1;
}

/// <summary>A binary heap whose entries know their places, so that one may be taken out before it is due. Not thread-safe.</summary>
internal sealed class TimerHeap<T> where T : TimerNode
{
    private T[] _nodes = new T[64];
    private long _sequence;

    internal int Count { get; private set; }

    /// <summary>The next one due; there must be one.</summary>
    internal T First => _nodes[0];

    [DataPath]
    internal void Add(T node, long due)
    {
        if (Count == _nodes.Length) Array.Resize(ref _nodes, Count * 2);
        node.Due = due;
        node.Sequence = _sequence++;
        Up(node, Count++);
    }

    [DataPath]
    internal void Remove(T node)
    {
        var index = node.HeapIndex;
        if (index < 0) return;
        node.HeapIndex = -1;
        var last = _nodes[--Count];
        _nodes[Count] = null!;
        if (ReferenceEquals(last, node)) return;
        if (index > 0 && Before(last, _nodes[(index - 1) / 2])) Up(last, index);
        else Down(last, index);
    }

    private static bool Before(T a, T b) => a.Due < b.Due || a.Due == b.Due && a.Sequence < b.Sequence;

    private void Up(T node, int index)
    {
        while (index > 0)
        {
            var parent = (index - 1) / 2;
            if (!Before(node, _nodes[parent])) break;
            Put(_nodes[parent], index);
            index = parent;
        }
        Put(node, index);
    }

    private void Down(T node, int index)
    {
        while (true)
        {
            var child = index * 2 + 1;
            if (child >= Count) break;
            if (child + 1 < Count && Before(_nodes[child + 1], _nodes[child])) child++;
            if (!Before(_nodes[child], node)) break;
            Put(_nodes[child], index);
            index = child;
        }
        Put(node, index);
    }

    private void Put(T node, int index)
    {
        _nodes[index] = node;
        node.HeapIndex = index;
    }
}
