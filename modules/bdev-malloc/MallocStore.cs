using System.Runtime.InteropServices;
using Spindle.Bdevs;
using Spindle.Dif;
using Spindle.Memory;
using Spindle.Modules;

namespace Spindle.Bdev.Malloc;

/// <summary>The memory of one bdev. Storage threads use it at once without a lock: I/Os to the same blocks at the same time may mix, as on any disk.</summary>
/// <remarks>Memory that was never written is known to be zero, in chunks of 1 MiB: discarding a large new bdev then neither costs time nor
/// memory. A chunk's mark is set before its first write and never taken back, so that a race between threads cannot lose it.</remarks>
internal sealed unsafe class MallocStore : IAsyncDisposable
{
    private const int ChunkShift = 20;
    private const int PageSize = 4096;
    private const ulong PrefaultedBytes = 1 << 30;

    // Of a bdev of this size or more, the blocks written are not in a last-level cache of usual size, and most would be gone before they are read.
    private const ulong ExceedingCaches = 64 << 20;

    private readonly DmaBuffer _dataBuffer;
    private readonly DmaBuffer? _metadataBuffer;
    private readonly byte* _data;
    private readonly byte* _metadata;
    private readonly uint _blockSize;
    private readonly uint _metadataSize;
    private readonly ulong _blockCount;
    private readonly bool _exceedsCaches;
    private readonly ProtectionInformation? _protection;
    private byte* _written;
    private Task _prefault = Task.CompletedTask;
    private volatile bool _ending;

    /// <exception cref="SpindleException">ENOMEM.</exception>
    public MallocStore(IDmaMemory memory, MallocOptions options)
    {
        _blockSize = options.BlockSize;
        _metadataSize = options.MetadataSize;
        _blockCount = options.BlockCount;
        _exceedsCaches = options.DataBytes >= ExceedingCaches;
        _protection = options.Protection;
        _dataBuffer = Allocate(memory, options.DataBytes);
        try
        {
            if (options.MetadataBytes > 0) _metadataBuffer = Allocate(memory, options.MetadataBytes);
            _written = (byte*)NativeMemory.AllocZeroed(Marks(options.DataBytes));
        }
        catch
        {
            Dispose();
            throw;
        }
        _data = (byte*)_dataBuffer.Address;
        _metadata = _metadataBuffer is null ? null : (byte*)_metadataBuffer.Address;
    }

    /// <summary>Takes over what another version of the module exported.</summary>
    /// <exception cref="SpindleException">EPROTO: the memory does not fit the options.</exception>
    public MallocStore(MallocOptions options, DmaBuffer data, DmaBuffer? metadata, byte[] written)
    {
        if (data.Size < options.DataBytes || (metadata?.Size ?? 0) < options.MetadataBytes || (nuint)written.Length != Marks(options.DataBytes))
            throw new SpindleException(Errno.EPROTO, $"The memory handed over does not fit {options.BlockCount} blocks of {options.BlockSize} bytes.");
        _blockSize = options.BlockSize;
        _metadataSize = options.MetadataSize;
        _blockCount = options.BlockCount;
        _exceedsCaches = options.DataBytes >= ExceedingCaches;
        _protection = options.Protection;
        _dataBuffer = data;
        _metadataBuffer = metadata;
        _data = (byte*)data.Address;
        _metadata = metadata is null ? null : (byte*)metadata.Address;
        _written = (byte*)NativeMemory.Alloc((nuint)written.Length);
        written.CopyTo(new Span<byte>(_written, written.Length));
    }

    private static nuint Marks(nuint bytes) => (bytes >> ChunkShift) + 1;

    /// <summary>Writes down what another version of the module needs to take over.</summary>
    public void Export(BdevState state)
    {
        state.Set("data", _dataBuffer);
        if (_metadataBuffer is not null) state.Set("metadata", _metadataBuffer);
        state.Set("written", new ReadOnlySpan<byte>(_written, (int)Marks((nuint)(_blockCount * _blockSize))).ToArray());
    }

    /// <summary>Ends the work in the background.</summary>
    public Task StopPrefaultAsync()
    {
        _ending = true;
        return _prefault;
    }

    /// <summary>The memory is another version's now.</summary>
    public void LetGo()
    {
        _ending = true;
        NativeMemory.Free(_written);
        _written = null;
    }

    private static DmaBuffer Allocate(IDmaMemory memory, nuint bytes)
    {
        const nuint hugePage = 2 << 20;
        try
        {
            return memory.Allocate(bytes, bytes >= hugePage ? hugePage : 4096);
        }
        catch (SpindleException e) when (e.Errno == Errno.ENOMEM)
        {
            throw new SpindleException(Errno.ENOMEM, $"There is not enough memory for {bytes} bytes: make the bdev smaller (num_blocks). {e.Message}");
        }
    }

    /// <summary>Writes to every block protection information that turns its checks off, as an unwritten block has. Once, before any I/O.</summary>
    public void Format()
    {
        _protection!.MarkUnchecked(_data, _metadata, _blockCount);
        MarkWritten(0, (nuint)(_blockCount * _blockSize));
    }

    /// <summary>Has the system provide the memory of a bdev of up to 1 GiB before I/O needs it: the first touch of a huge page clears 2 MiB, which
    /// would hold up a reactor for a millisecond. Larger ones take their memory as it is written. In the background, beside I/O.</summary>
    public void Prefault()
    {
        if (_protection is not null || _dataBuffer.Size > PrefaultedBytes) return;
        _prefault = Task.Run(() =>
        {
            // Or-ing zero writes to the page without changing what a reactor may be writing there.
            for (nuint at = 0; at + sizeof(int) <= _dataBuffer.Size && !_ending; at += PageSize) Interlocked.Or(ref *(int*)(_data + at), 0);
        });
    }

    /// <summary>Copies blocks to buffers, unless <paramref name="verify"/> is set, which needs protection information, and the check of one fails.</summary>
    [DataPath]
    public DifResult Read(ReadOnlySpan<IoVec> buffers, byte* metadata, ulong block, ulong count, bool verify, out ulong failed)
    {
        failed = 0;
        byte* from = _data + block * _blockSize;
        if (verify && _protection!.Verify(from, MetadataAt(block), count, block, out failed) is var check and not DifResult.Ok) return check;
        if (buffers.Length == 1)
        {
            Copy(from, buffers[0].Pointer, buffers[0].Length);
        }
        else
        {
            foreach (ref readonly var buffer in buffers)
            {
                Copy(from, buffer.Pointer, buffer.Length);
                from += buffer.Length;
            }
        }
        if (metadata is not null && _metadata is not null) Copy(MetadataAt(block), metadata, (nuint)(count * _metadataSize));
        return DifResult.Ok;
    }

    /// <summary>The blocks themselves, unless their protection information is to be verified at each read.</summary>
    [DataPath]
    public bool TryLend(ulong block, ulong count, out IoVec memory)
    {
        ulong length = count * _blockSize;
        if (_protection is not null || length > uint.MaxValue)
        {
            memory = default;
            return false;
        }
        memory = new IoVec(_data + block * _blockSize, (uint)length, _dataBuffer.Region);
        return true;
    }

    /// <summary>The memory of blocks, less than 4 GiB, to be read and written in place.</summary>
    [DataPath]
    public IoVec LendForWriting(ulong block, ulong count)
    {
        nuint offset = (nuint)(block * _blockSize), length = (nuint)(count * _blockSize);
        MarkWritten(offset, length);
        return new IoVec(_data + offset, (uint)length, _dataBuffer.Region);
    }

    /// <summary>Copies data to blocks without metadata.</summary>
    [DataPath]
    public void Write(ulong block, ReadOnlySpan<byte> data)
    {
        nuint offset = (nuint)(block * _blockSize);
        MarkWritten(offset, (nuint)data.Length);
        fixed (byte* from = data) Store(from, _data + offset, (nuint)data.Length);
    }

    /// <summary>Copies buffers to blocks, unless <paramref name="verify"/> is set and the check of one fails. Protection information that the submitter did not bring is generated.</summary>
    [DataPath]
    public DifResult Write(ReadOnlySpan<IoVec> buffers, byte* metadata, ulong block, ulong count, bool verify, out ulong failed)
    {
        failed = 0;
        if (verify && (metadata is not null || _metadata is null) &&
            _protection!.Verify(buffers, metadata, count, block, out failed) is var check and not DifResult.Ok) return check;
        nuint offset = (nuint)(block * _blockSize);
        byte* to = _data + offset;
        if (buffers.Length == 1)
        {
            MarkWritten(offset, buffers[0].Length);
            Store(buffers[0].Pointer, to, buffers[0].Length);
        }
        else
        {
            MarkWritten(offset, (nuint)(count * _blockSize));
            foreach (ref readonly var buffer in buffers)
            {
                Store(buffer.Pointer, to, buffer.Length);
                to += buffer.Length;
            }
        }
        if (_metadata is null) return DifResult.Ok;
        nuint length = (nuint)(count * _metadataSize);
        if (metadata is not null)
        {
            Copy(metadata, MetadataAt(block), length);
        }
        else if (_protection is not null)
        {
            NativeMemory.Clear(MetadataAt(block), length);
            _protection.Generate(_data + offset, MetadataAt(block), count, block);
        }
        return DifResult.Ok;
    }

    /// <summary>Makes blocks, and their metadata, zero.</summary>
    [DataPath]
    public void Zero(ulong block, ulong count)
    {
        nuint offset = (nuint)(block * _blockSize), end = offset + (nuint)(count * _blockSize);
        while (offset < end)
        {
            nuint next = Math.Min(end, ((offset >> ChunkShift) + 1) << ChunkShift);
            if (_written[offset >> ChunkShift] != 0) NativeMemory.Clear(_data + offset, next - offset);
            offset = next;
        }
        if (_metadata is not null) NativeMemory.Clear(MetadataAt(block), (nuint)(count * _metadataSize));
        _protection?.MarkUnchecked(_data + block * _blockSize, MetadataAt(block), count);
    }

    /// <summary>True when the blocks are equal to the buffers, and the metadata to <paramref name="metadata"/> unless that is null.</summary>
    [DataPath]
    public bool Equals(ReadOnlySpan<IoVec> buffers, byte* metadata, ulong block, ulong count)
    {
        byte* stored = _data + block * _blockSize;
        foreach (ref readonly var buffer in buffers)
        {
            if (!Same(stored, buffer.Pointer, buffer.Length)) return false;
            stored += buffer.Length;
        }
        return metadata is null || _metadata is null || Same(MetadataAt(block), metadata, (nuint)(count * _metadataSize));
    }

    /// <summary>Copies blocks within the bdev.</summary>
    [DataPath]
    public DifResult CopyBlocks(ulong target, ulong source, ulong count, out ulong failed)
    {
        failed = 0;
        if (_protection is not null && _protection.Verify(_data + source * _blockSize, MetadataAt(source), count, source, out failed) is var check and not DifResult.Ok)
            return check;
        nuint length = (nuint)(count * _blockSize), offset = (nuint)(target * _blockSize);
        MarkWritten(offset, length);
        Copy(_data + source * _blockSize, _data + offset, length);
        if (_metadata is not null) Copy(MetadataAt(source), MetadataAt(target), (nuint)(count * _metadataSize));
        _protection?.Renumber(_data + offset, MetadataAt(target), count, target);
        return DifResult.Ok;
    }

    [DataPath]
    private byte* MetadataAt(ulong block) => _metadata + block * _metadataSize;

    [DataPath]
    private void MarkWritten(nuint offset, nuint length)
    {
        byte* mark = _written + (offset >> ChunkShift), last = _written + ((offset + length - 1) >> ChunkShift);
        // Reading first keeps the line shared among the cores.
        for (; mark <= last; mark++)
            if (*mark == 0) *mark = 1;
    }

    [DataPath]
    private static bool Same(byte* a, byte* b, nuint length)
    {
        const int most = 1 << 30; // a span has no more than 2^31 - 1 bytes
        for (; length > most; length -= most, a += most, b += most)
            if (!new ReadOnlySpan<byte>(a, most).SequenceEqual(new ReadOnlySpan<byte>(b, most))) return false;
        return new ReadOnlySpan<byte>(a, (int)length).SequenceEqual(new ReadOnlySpan<byte>(b, (int)length));
    }

    [DataPath]
    private static void Copy(byte* from, byte* to, nuint length) => BlockCopy.Copy(from, to, length);

    [DataPath]
    private void Store(byte* from, byte* to, nuint length)
    {
        if (_exceedsCaches) BlockCopy.CopyPastCaches(from, to, length);
        else BlockCopy.Copy(from, to, length);
    }

    /// <summary>Gives the memory back. No I/O may be using it.</summary>
    public ValueTask DisposeAsync()
    {
        _ending = true;
        return new ValueTask(_prefault.ContinueWith(static (_, store) => ((MallocStore)store!).Dispose(), this,
            CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default));
    }

    private void Dispose()
    {
        _dataBuffer.Dispose();
        _metadataBuffer?.Dispose();
        NativeMemory.Free(_written);
        _written = null;
    }
}
