using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.Bdevs;

/// <summary>Called once when an I/O has ended, on the storage thread that submitted it, never inside the submission.</summary>
/// <param name="state">What the submitter passed.</param>
/// <param name="result">How it ended.</param>
public delegate void BdevIoCallback(object? state, in BdevIoResult result);

/// <summary>A submitter inside the host whose I/O brings metadata that it made for it.</summary>
internal interface IMakesMetadata;

/// <summary>The host's side of a <see cref="BdevIo"/>.</summary>
internal abstract class BdevIoOwner : ThreadWork
{
    internal abstract void OnComplete(BdevIo io, uint generation, in BdevIoResult result);
}

/// <summary>One I/O on its way through a bdev. Pooled per bdev and storage thread: a module uses it from <see cref="Bdev.Submit"/> until it
/// completes it, on that thread only, and never looks at it afterwards.</summary>
/// <remarks><para>Buffers: the submitter owns them and keeps them valid and, for writes, unchanged until the completion callback. A module
/// neither keeps them nor touches them after completing. The vectors are at least aligned to <see cref="Bdev.RequiredAlignment"/>; the host copies otherwise.</para>
/// <para>Completion: exactly one call of a <c>Complete</c> method with the <see cref="Generation"/> read during <see cref="Bdev.Submit"/>.
/// A second or late call, or one on another thread, is detected, harms no other I/O and is charged to the module.</para></remarks>
public sealed unsafe class BdevIo
{
    internal BdevIoOwner Owner = null!;
    internal uint CurrentGeneration = 1;
    internal BdevIoCallback? Callback;
    internal object? CallbackState;
    internal BdevIo? Next;
    internal int Index;
    internal object? HostState;
    internal long SubmitTicks;
    internal uint HostFlags;
    internal BdevIoResult Result;

    private IoVec* _iovs;
    private int _iovCapacity;

    internal BdevIo() { }

    /// <summary>What is asked for.</summary>
    public BdevIoType Type { get; internal set; }

    /// <summary>The bdev it was submitted to.</summary>
    public Bdev Bdev { get; internal set; } = null!;

    /// <summary>The module's channel, as given to <see cref="Bdev.Submit"/>.</summary>
    public IoChannel Channel { get; internal set; } = null!;

    /// <summary>First block; of a type of I/O to zones the zone's, or the first zone's. In <see cref="Bdev.BlockSize"/> units. The host has checked that offset and count lie inside the bdev.</summary>
    public ulong OffsetBlocks { get; internal set; }

    /// <summary>Number of blocks; for <see cref="BdevIoType.ZoneManagement"/> and <see cref="BdevIoType.GetZoneInfo"/> those of the zones.</summary>
    public ulong NumBlocks { get; internal set; }

    /// <summary>For <see cref="BdevIoType.Copy"/>: the first block to copy from.</summary>
    public ulong CopySourceOffset { get; internal set; }

    /// <summary>Names this use of the pooled object. Read it in <see cref="Bdev.Submit"/>; give it to <see cref="Complete(uint, BdevIoStatus)"/>.</summary>
    public uint Generation => CurrentGeneration;

    /// <summary>Number of I/O vectors.</summary>
    public int IovCount { get; internal set; }

    /// <summary>Data to read into, write or compare: exactly <see cref="NumBlocks"/> blocks in all. Valid until completion; the array itself too.</summary>
    public ReadOnlySpan<IoVec> Iovs => new(_iovs, IovCount);

    /// <summary>For <see cref="BdevIoType.CompareAndWrite"/>: what to compare with.</summary>
    public ReadOnlySpan<IoVec> CompareIovs => new(_iovs + IovCount, CompareIovCount);

    internal int CompareIovCount { get; set; }

    /// <summary>Separate metadata, <see cref="Bdev.MetadataSize"/> bytes for each block; null when there is none or it is interleaved.</summary>
    public byte* Metadata { get; internal set; }

    /// <summary>For <see cref="BdevIoType.Zcopy"/>: what is to be done.</summary>
    public BdevZcopyStep ZcopyStep { get; internal set; }

    /// <summary>For the start of a <see cref="BdevIoType.Zcopy"/>, before it is completed: lends buffers, <see cref="NumBlocks"/> blocks in all. They stay the
    /// borrower's until the end, at the same addresses over an upgrade of the module, too. The array is copied.</summary>
    [DataPath]
    public void LendBuffers(ReadOnlySpan<IoVec> buffers) => SetIovs(buffers, []);

    /// <summary>True when the host makes the metadata of this write, or verifies that of this read, for a submitter that does not see it: metadata, interleaved or separate, is in the host's own
    /// memory, where a module may change it, and need not be verified. Else it is the submitter's.</summary>
    public bool HostMakesMetadata => CallbackState is IMakesMetadata;

    /// <summary>For <see cref="BdevIoType.ZoneManagement"/>: what to do to the zone.</summary>
    public BdevZoneAction ZoneAction { get; internal set; }

    /// <summary>For <see cref="BdevIoType.GetZoneInfo"/>: where to write what the zones are, the one at <see cref="OffsetBlocks"/> first. The submitter's, until completion.</summary>
    public Memory<BdevZoneInfo> Zones { get; internal set; }

    /// <summary>For <see cref="BdevIoType.Abort"/>: the I/O to abort. It may have ended: compare <see cref="AbortGeneration"/>.</summary>
    public BdevIo? AbortTarget { get; internal set; }

    /// <summary>The generation of <see cref="AbortTarget"/> that is meant.</summary>
    public uint AbortGeneration { get; internal set; }

    /// <summary>What <see cref="Bdev.CreateIoContext"/> made when this pooled object was made; kept across its uses, so that
    /// a module has its per-I/O state without allocating.</summary>
    public object? Context { get; internal set; }

    /// <summary>Bytes of data: blocks times block size.</summary>
    public ulong LengthBytes => NumBlocks * Bdev.BlockSize;

    /// <summary>Ends the I/O. On its storage thread; may be called inside <see cref="Bdev.Submit"/>.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Complete(uint generation, BdevIoStatus status) => Owner.OnComplete(this, generation, BdevIoResult.Of(status));

    /// <summary>Ends the I/O with a result that carries more than a status, usually the one of the I/O below.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Complete(uint generation, in BdevIoResult result) => Owner.OnComplete(this, generation, in result);

    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void SetIovs(ReadOnlySpan<IoVec> iovs, ReadOnlySpan<IoVec> compare)
    {
        if (iovs.Length == 1 && compare.Length == 0 && _iovCapacity != 0)
        {
            _iovs[0] = iovs[0];
            IovCount = 1;
            CompareIovCount = 0;
            return;
        }
        SetManyIovs(iovs, compare);
    }

    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    private void SetManyIovs(ReadOnlySpan<IoVec> iovs, ReadOnlySpan<IoVec> compare)
    {
        int total = iovs.Length + compare.Length;
        if (total > _iovCapacity) Grow(total);
        iovs.CopyTo(new Span<IoVec>(_iovs, iovs.Length));
        compare.CopyTo(new Span<IoVec>(_iovs + iovs.Length, compare.Length));
        IovCount = iovs.Length;
        CompareIovCount = compare.Length;
    }

    private void Grow(int count)
    {
        int capacity = Math.Max(4, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)count));
        _iovs = (IoVec*)NativeMemory.Realloc(_iovs, (nuint)capacity * (nuint)sizeof(IoVec));
        _iovCapacity = capacity;
    }

    internal IoVec* IovPointer => _iovs;

    /// <summary>Leaves the vectors as they are, to be freed by the caller later.</summary>
    internal nint DetachVectors()
    {
        nint vectors = (nint)_iovs;
        _iovCapacity = 0;
        return vectors;
    }

    internal void FreeNative()
    {
        NativeMemory.Free(_iovs);
        _iovs = null;
        _iovCapacity = 0;
    }
}
