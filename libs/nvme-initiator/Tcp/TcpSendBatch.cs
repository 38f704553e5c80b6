using Spindle.Memory;

namespace Spindle.Nvme.Initiator.Tcp;

/// <summary>What one send carries: a vector of memory, and the bytes of PDU headers and digests that parts of it point to. Headers stand one after
/// another, so that a row of commands without data is one element.</summary>
internal sealed unsafe class TcpSendBatch(IoVec staging)
{
    /// <summary>Elements in one send at most; Linux takes 1,024.</summary>
    internal const int MaxVectors = 1024;

    /// <summary>Bytes of headers and digests.</summary>
    internal const uint StagingSize = 32 * 1024;

    private readonly IoVec[] _vectors = new IoVec[MaxVectors];
    private int _first, _count;
    private uint _staged;

    internal bool IsEmpty => _first == _count;
    internal ReadOnlySpan<IoVec> Vectors => _vectors.AsSpan(_first, _count - _first);

    /// <summary>Begins anew; nothing of it may be under way.</summary>
    [DataPath]
    internal void Reset() => (_first, _count, _staged) = (0, 0, 0);

    [DataPath]
    internal bool HasRoom(int vectors, uint bytes) => MaxVectors - _count >= vectors && StagingSize - _staged >= bytes;

    /// <summary>Adds bytes to be written by the caller.</summary>
    [DataPath]
    internal byte* Stage(uint length)
    {
        byte* at = staging.Pointer + _staged;
        _staged += length;
        if (_count > _first)
        {
            ref var last = ref _vectors[_count - 1];
            if (last.Pointer + last.Length == at && last.Pointer >= staging.Pointer)
            {
                last = new IoVec(last.Pointer, last.Length + length, last.Region);
                return at;
            }
        }
        _vectors[_count++] = new IoVec(at, length, staging.Region);
        return at;
    }

    [DataPath]
    internal void Add(in IoVec data)
    {
        if (data.Length > 0) _vectors[_count++] = data;
    }

    /// <summary>Takes away what was sent.</summary>
    [DataPath]
    internal void Advance(uint bytes)
    {
        while (bytes > 0)
        {
            ref var vector = ref _vectors[_first];
            if (bytes < vector.Length)
            {
                vector = vector.Slice(bytes, vector.Length - bytes);
                return;
            }
            bytes -= vector.Length;
            _first++;
        }
    }
}
