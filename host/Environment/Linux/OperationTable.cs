using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spindle.Host.Environments.Linux.Interop;
using Spindle.Host.Reactors;
using Spindle.Io;
using Spindle.Memory;

namespace Spindle.Host.Environments.Linux;

/// <summary>What an operation does.</summary>
internal enum OperationKind : byte
{
    Read,
    Write,
    Flush,
    Allocate,
    Receive,
    Send,
    Accept,
    Timeout,
    Wait,
}

/// <summary>Memory that the kernel reads until an operation completes, so it stays at one address.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal unsafe struct OperationMemory
{
    /// <summary>I/O vectors that fit without a separate allocation.</summary>
    internal const int InlineVectors = 8;

    [FieldOffset(0)] internal MessageHeader Message;
    [FieldOffset(0)] internal AioControlBlock Control;
    [FieldOffset(64)] internal KernelTimespec Time;
    [FieldOffset(80)] internal ulong Counter;
    [FieldOffset(128)] internal fixed ulong Inline[InlineVectors * 2];
}

/// <summary>A pending operation's place in the table.</summary>
internal sealed unsafe class OperationSlot : TimerNode
{
    internal readonly int Index;
    internal readonly OperationMemory* Memory;
    internal uint Generation;
    internal OperationKind Kind;
    internal bool Cancelled;
    internal RingOperation? Operation;
    internal object? Target;
    internal OperationSlot? Next;

    /// <summary>Where and how much, for rings that hold an operation back before the kernel has it; <see cref="Argument"/> is the mode of an allocation.</summary>
    internal long Offset;
    internal long Length;
    internal int Argument;
    internal int Fd;

    /// <summary>The outcome, from where it was found until the completion runs.</summary>
    internal int Result;

    private IoVector* _vectors;
    private int _vectorCapacity;

    internal OperationSlot(int index, OperationMemory* memory)
    {
        Index = index;
        Memory = memory;
        _vectors = (IoVector*)memory->Inline;
        _vectorCapacity = OperationMemory.InlineVectors;
    }

    /// <summary>What a completion brings back to find this slot, and to tell whether it still means the same operation.</summary>
    internal ulong UserData => (ulong)Generation << 32 | (uint)Index;

    internal IoVector* Vectors => _vectors;

    internal int VectorCount { get; private set; }

    /// <summary>Copies the vector; it grows to the largest one seen and stays.</summary>
    [DataPath]
    internal void SetVectors(ReadOnlySpan<IoVec> buffers)
    {
        if (buffers.Length > _vectorCapacity) Grow(buffers.Length);
        for (var i = 0; i < buffers.Length; i++)
        {
            ref readonly var buffer = ref buffers[i];
            _vectors[i].Base = buffer.Pointer;
            _vectors[i].Length = buffer.Length;
        }
        VectorCount = buffers.Length;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Grow(int count)
    {
        var capacity = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)count);
        FreeVectors();
        _vectors = (IoVector*)NativeMemory.Alloc((nuint)capacity, (nuint)sizeof(IoVector));
        _vectorCapacity = capacity;
    }

    internal void FreeVectors()
    {
        if (_vectorCapacity > OperationMemory.InlineVectors) NativeMemory.Free(_vectors);
        _vectors = (IoVector*)Memory->Inline;
        _vectorCapacity = OperationMemory.InlineVectors;
    }
}

/// <summary>A ring's pending operations. Grows in chunks and never shrinks; an operation in steady state costs no allocation. A slot's generation
/// changes at each use, so a completion that comes late finds nothing.</summary>
internal sealed unsafe class OperationTable
{
    private const int ChunkBits = 8, ChunkSize = 1 << ChunkBits;

    /// <summary>Vectors per operation: IOV_MAX.</summary>
    internal const int MaxVectors = 1024;

    private readonly List<nint> _memory = [];
    private OperationSlot[][] _chunks = [];
    private OperationSlot? _free;
    private bool _leaked;

    /// <summary>Operations that have not completed.</summary>
    internal int Count { get; private set; }

    /// <summary>Takes a slot for an operation and marks the operation as pending.</summary>
    [DataPath]
    internal OperationSlot Begin(RingOperation operation, OperationKind kind, object? target)
    {
        var slot = _free ?? Grow();
        _free = slot.Next;
        slot.Next = null;
        slot.Generation++;
        slot.Kind = kind;
        slot.Cancelled = false;
        slot.Argument = 0;
        slot.Operation = operation;
        slot.Target = target;
        operation.HostSlot = slot.Index;
        Count++;
        RingDispatch.Begin(operation);
        return slot;
    }

    /// <summary>The slot of a completion, unless the operation it belonged to has ended.</summary>
    [DataPath]
    internal bool TryFind(ulong userData, [NotNullWhen(true)] out OperationSlot? slot)
    {
        var index = (uint)userData;
        var chunk = index >> ChunkBits;
        if (chunk < (uint)_chunks.Length)
        {
            slot = _chunks[chunk][index & (ChunkSize - 1)];
            if (slot.Operation is not null && slot.Generation == (uint)(userData >> 32)) return true;
        }
        slot = null;
        return false;
    }

    /// <summary>The slot of a pending operation of this table.</summary>
    [DataPath]
    internal bool TryFind(RingOperation operation, [NotNullWhen(true)] out OperationSlot? slot)
    {
        var index = (uint)operation.HostSlot;
        var chunk = index >> ChunkBits;
        if (operation.IsPending && chunk < (uint)_chunks.Length)
        {
            slot = _chunks[chunk][index & (ChunkSize - 1)];
            if (ReferenceEquals(slot.Operation, operation)) return true;
        }
        slot = null;
        return false;
    }

    /// <summary>Gives the slot back and runs the operation's completion, which may submit again at once.</summary>
    [DataPath]
    internal void Complete(OperationSlot slot, int result)
    {
        var operation = slot.Operation!;
        slot.Operation = null;
        slot.Target = null;
        slot.Next = _free;
        _free = slot;
        operation.HostSlot = -1;
        Count--;
        RingDispatch.Complete(operation, result);
    }

    /// <summary>The slots of all pending operations; for tearing down.</summary>
    internal IEnumerable<OperationSlot> Pending() => _chunks.SelectMany(static chunk => chunk).Where(static slot => slot.Operation is not null).ToArray();

    /// <summary>Keeps the native memory for ever, because the kernel may still use it.</summary>
    internal void Leak() => _leaked = true;

    internal void Free()
    {
        if (_leaked) return;
        foreach (var chunk in _chunks)
        {
            foreach (var slot in chunk) slot.FreeVectors();
        }
        foreach (var memory in _memory) NativeMemory.AlignedFree((void*)memory);
        _memory.Clear();
        _chunks = [];
        _free = null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private OperationSlot Grow()
    {
        var memory = (OperationMemory*)NativeMemory.AlignedAlloc((nuint)(ChunkSize * sizeof(OperationMemory)), 64);
        NativeMemory.Clear(memory, (nuint)(ChunkSize * sizeof(OperationMemory)));
        _memory.Add((nint)memory);
        var first = _chunks.Length << ChunkBits;
        var chunk = new OperationSlot[ChunkSize];
        for (var i = ChunkSize - 1; i >= 0; i--)
        {
            chunk[i] = new OperationSlot(first + i, memory + i) { Next = _free };
            _free = chunk[i];
        }
        _chunks = [.. _chunks, chunk];
        return _free!;
    }
}
