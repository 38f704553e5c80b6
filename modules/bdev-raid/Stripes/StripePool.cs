using Spindle.Memory;

namespace Spindle.Bdev.Raid.Stripes;

/// <summary>One thread's buffers of one size, each for the I/O on one stripe. Who finds none stands in line.</summary>
internal sealed class StripePool : IDisposable
{
    private readonly DmaBuffer _memory;
    private readonly int[] _free;
    private readonly nuint _stride;
    private int _count;
    private StripeIo? _first, _last;
    private bool _isServing;

    /// <param name="memory">Where from.</param>
    /// <param name="stride">Bytes of a buffer.</param>
    /// <param name="count">How many.</param>
    internal StripePool(IDmaMemory memory, nuint stride, int count)
    {
        (_stride, _count) = (stride, count);
        _memory = memory.Allocate(stride * (nuint)count);
        _free = new int[count];
        for (int i = 0; i < count; i++) _free[i] = count - 1 - i;
    }

    /// <summary>Takes a buffer, or has <see cref="StripeIo.Buffered"/> called with one later.</summary>
    /// <returns>Its number; -1 when there is none now.</returns>
    [DataPath]
    internal int Take(StripeIo io)
    {
        if (_count > 0) return _free[--_count];
        io.NextInPool = null;
        if (_last is null) _first = io;
        else _last.NextInPool = io;
        _last = io;
        return -1;
    }

    /// <summary>A strip in a buffer.</summary>
    [DataPath]
    internal IoVec Strip(int number, int strip, uint stripBytes, uint length) => _memory.Slice(_stride * (nuint)number + (nuint)strip * stripBytes, length);

    /// <summary>Gives a buffer back, or on.</summary>
    [DataPath]
    internal void Put(int number)
    {
        _free[_count++] = number;
        // Those who are served may end at once and put theirs: this loop goes on with it, so that the stack does not grow.
        if (_isServing) return;
        _isServing = true;
        while (_count > 0 && _first is { } io)
        {
            _first = io.NextInPool;
            if (_first is null) _last = null;
            io.NextInPool = null;
            io.Buffered(_free[--_count]);
        }
        _isServing = false;
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();
}
