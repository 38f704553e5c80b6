using System.Runtime.InteropServices;
using Spindle.Memory;

namespace Spindle.Testing;

/// <summary>Memory of a test's: one or more vectors of any size at any alignment, with guard bytes around each that nobody may touch.</summary>
public sealed unsafe class TestBuffer : IDisposable
{
    private const int Guard = 64;
    private const byte GuardByte = 0x5A;

    private readonly List<(nint Block, int Length)> _blocks = [];
    private readonly List<(nint Address, int Length)> _guards = [];

    /// <summary>One vector.</summary>
    /// <param name="length">Bytes.</param>
    /// <param name="misalignment">Bytes past a multiple of 4096.</param>
    public TestBuffer(int length, int misalignment = 0) : this([length], misalignment) { }

    /// <summary>Several vectors, each in memory of its own.</summary>
    public TestBuffer(IReadOnlyList<int> lengths, int misalignment = 0)
    {
        Vectors = new IoVec[lengths.Count];
        for (int i = 0; i < lengths.Count; i++)
        {
            int size = 4096 + misalignment + lengths[i] + Guard;
            byte* block = (byte*)NativeMemory.AlignedAlloc((nuint)size, 4096);
            _blocks.Add(((nint)block, size));
            byte* data = block + 4096 + misalignment;
            AddGuard(data - Guard);
            AddGuard(data + lengths[i]);
            Vectors[i] = new IoVec(data, (uint)lengths[i]);
            Length += lengths[i];
        }
    }

    private void AddGuard(byte* at)
    {
        new Span<byte>(at, Guard).Fill(GuardByte);
        _guards.Add(((nint)at, Guard));
    }

    /// <summary>The vectors to submit.</summary>
    public IoVec[] Vectors { get; }
    /// <summary>Bytes of all vectors.</summary>
    public int Length { get; }

    /// <summary>Random lengths, down to one byte, that sum up to <paramref name="total"/>.</summary>
    public static List<int> OddSplit(Random random, int total, int count)
    {
        var lengths = new List<int>();
        int left = total;
        while (left > 0 && lengths.Count < count - 1)
        {
            int length = random.Next(4) == 0 ? 1 : random.Next(1, Math.Max(2, 2 * total / count));
            length = Math.Min(length, left);
            lengths.Add(length);
            left -= length;
        }
        if (left > 0) lengths.Add(left);
        return lengths;
    }

    /// <summary>Fills all vectors with a byte.</summary>
    public void Fill(byte value)
    {
        foreach (var vector in Vectors) vector.Span.Fill(value);
    }

    /// <summary>Copies bytes into the vectors.</summary>
    public void Set(ReadOnlySpan<byte> data)
    {
        foreach (var vector in Vectors)
        {
            data[..(int)vector.Length].CopyTo(vector.Span);
            data = data[(int)vector.Length..];
        }
    }

    /// <summary>The vectors' bytes, joined.</summary>
    public byte[] ToArray()
    {
        byte[] bytes = new byte[Length];
        int at = 0;
        foreach (var vector in Vectors)
        {
            vector.Span.CopyTo(bytes.AsSpan(at));
            at += (int)vector.Length;
        }
        return bytes;
    }

    /// <summary>Fails when a byte around a vector has changed.</summary>
    public void CheckGuards()
    {
        foreach (var (address, length) in _guards)
            Check.That(new Span<byte>((void*)address, length).IndexOfAnyExcept(GuardByte) < 0, "memory around an I/O vector was written to");
    }

    /// <summary>Checks the guards; poisons the memory, which is freed later and checked then.</summary>
    public void Dispose()
    {
        try
        {
            CheckGuards();
        }
        finally
        {
            foreach (var (block, length) in _blocks) Quarantine.Add(block, length);
            _blocks.Clear();
            _guards.Clear();
        }
    }
}
