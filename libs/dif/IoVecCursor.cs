using Spindle.Memory;

namespace Spindle.Dif;

/// <summary>Walks the bytes of I/O vectors in order. The caller never walks past their end.</summary>
[DataPath]
internal unsafe ref struct IoVecCursor(ReadOnlySpan<IoVec> buffers)
{
    private readonly ReadOnlySpan<IoVec> _buffers = buffers;
    private int _index;
    private uint _offset;

    /// <summary>Takes the next contiguous piece, of at most <paramref name="wanted"/> bytes.</summary>
    internal uint Piece(uint wanted, out byte* at)
    {
        while (_offset == _buffers[_index].Length)
        {
            _index++;
            _offset = 0;
        }
        ref readonly var buffer = ref _buffers[_index];
        uint length = Math.Min(wanted, buffer.Length - _offset);
        at = buffer.Pointer + _offset;
        _offset += length;
        return length;
    }

    internal void Skip(uint length)
    {
        while (length > 0) length -= Piece(length, out _);
    }

    internal void CopyTo(byte* target, uint length)
    {
        while (length > 0)
        {
            uint piece = Piece(length, out byte* at);
            new ReadOnlySpan<byte>(at, (int)piece).CopyTo(new Span<byte>(target, (int)piece));
            target += piece;
            length -= piece;
        }
    }

    internal bool EqualsNext(byte* other, uint length)
    {
        while (length > 0)
        {
            uint piece = Piece(length, out byte* at);
            if (!new ReadOnlySpan<byte>(at, (int)piece).SequenceEqual(new ReadOnlySpan<byte>(other, (int)piece))) return false;
            other += piece;
            length -= piece;
        }
        return true;
    }

    internal void CopyFrom(byte* source, uint length)
    {
        while (length > 0)
        {
            uint piece = Piece(length, out byte* at);
            new ReadOnlySpan<byte>(source, (int)piece).CopyTo(new Span<byte>(at, (int)piece));
            source += piece;
            length -= piece;
        }
    }
}
