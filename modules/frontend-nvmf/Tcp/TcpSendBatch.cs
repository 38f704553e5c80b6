using System.Runtime.InteropServices;
using Spindle.Memory;

namespace Spindle.Frontend.Nvmf.Tcp;

/// <summary>What one send carries: a vector of memory, and the bytes of PDU headers and digests that parts of it point to. Native memory, kept
/// from batch to batch; it grows to what the deepest batch so far needed.</summary>
/// <remarks>Headers stand one after another, so that those without data in between (a row of response capsules) are one element of the vector.</remarks>
internal sealed unsafe class TcpSendBatch : IDisposable
{
    /// <summary>Elements in one send at most; Linux takes 1,024.</summary>
    public const int MaxVectors = 1024;

    private const int InitialVectors = 16;
    private const int InitialStaging = 1024;
    private const int MaxStaging = 64 * 1024;

    private IoVec* _vectors;
    private int _vectorCapacity;
    private int _first;
    private int _count;
    private byte* _staging;
    private int _stagingCapacity;
    private int _staged;

    /// <summary>Nothing to send.</summary>
    public bool IsEmpty => _first == _count;

    /// <summary>What is to be sent.</summary>
    public ReadOnlySpan<IoVec> Vectors => new(_vectors + _first, _count - _first);

    /// <summary>Makes room for one more PDU or row of PDUs. Memory moves only while the batch is empty, since its vector points into it.</summary>
    /// <returns>False when they have to wait for the next batch.</returns>
    [DataPath]
    public bool TryReserve(int vectors, int bytes)
    {
        if (_vectorCapacity - _count >= vectors && _stagingCapacity - _staged >= bytes) return true;
        if (!IsEmpty) return false;
        _first = 0;
        _count = 0;
        _staged = 0;
        while (_vectorCapacity < vectors) GrowVectors();
        while (_stagingCapacity < bytes) GrowStaging();
        return true;
    }

    /// <summary>Before a new batch: doubles what the last one filled.</summary>
    [DataPath]
    public void Reset(bool wasFull)
    {
        _first = 0;
        _count = 0;
        _staged = 0;
        if (!wasFull) return;
        if (_vectorCapacity < MaxVectors) GrowVectors();
        if (_stagingCapacity < MaxStaging) GrowStaging();
    }

    /// <summary>Adds bytes of a header or digest, to be written by the caller. <see cref="TryReserve"/> has made room.</summary>
    [DataPath]
    public byte* Stage(int length)
    {
        byte* at = _staging + _staged;
        _staged += length;
        if (_count > _first)
        {
            ref IoVec last = ref _vectors[_count - 1];
            if (last.Pointer + last.Length == at && last.Pointer >= _staging)
            {
                last = new IoVec(last.Pointer, last.Length + (uint)length);
                return at;
            }
        }
        _vectors[_count++] = new IoVec(at, (uint)length);
        return at;
    }

    /// <summary>Adds data.</summary>
    [DataPath]
    public void Add(in IoVec data) => _vectors[_count++] = data;

    /// <summary>Takes away what was sent.</summary>
    [DataPath]
    public void Advance(uint bytes)
    {
        while (bytes > 0)
        {
            ref IoVec vector = ref _vectors[_first];
            if (bytes < vector.Length)
            {
                vector = vector.Slice(bytes, vector.Length - bytes);
                return;
            }
            bytes -= vector.Length;
            _first++;
        }
    }

    public void Dispose()
    {
        NativeMemory.Free(_vectors);
        NativeMemory.Free(_staging);
        _vectors = null;
        _staging = null;
        _vectorCapacity = _stagingCapacity = _first = _count = _staged = 0;
    }

    private void GrowVectors()
    {
        _vectorCapacity = _vectorCapacity == 0 ? InitialVectors : _vectorCapacity * 2;
        NativeMemory.Free(_vectors);
        _vectors = (IoVec*)NativeMemory.Alloc((nuint)_vectorCapacity, (nuint)sizeof(IoVec));
    }

    private void GrowStaging()
    {
        _stagingCapacity = _stagingCapacity == 0 ? InitialStaging : _stagingCapacity * 2;
        NativeMemory.Free(_staging);
        _staging = (byte*)NativeMemory.Alloc((nuint)_stagingCapacity);
    }
}
