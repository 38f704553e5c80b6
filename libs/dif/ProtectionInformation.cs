using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Dif;

/// <summary>Generates and verifies the protection information of one bdev's blocks (SBC-4, 4.21; NVM Command Set Specification 1.0, 5.2).
/// Immutable; on any thread. "Metadata" arguments are null where it is interleaved with the data.</summary>
/// <remarks>The guard covers a block's data and, when the information is at the end of the metadata, the metadata before it.</remarks>
public sealed unsafe class ProtectionInformation
{
    private readonly uint _stride;          // bytes of a block in the data buffer
    private readonly uint _metadataSize;
    private readonly uint _guardInBlock;    // of those, covered by the guard
    private readonly uint _guardInMetadata; // bytes of separate metadata covered by the guard
    private readonly bool _interleaved;
    private readonly int _size;
    private readonly DifType _type;
    private readonly DifCheckFlags _flags;
    private readonly DifFormat _format;
    private readonly ulong _mask;

    /// <param name="dataBlockSize">Bytes of data in a block: a multiple of 512, of 4096 for the wider guards.</param>
    /// <param name="metadataSize">Bytes of metadata of a block; at least the information's.</param>
    /// <param name="interleaved">The metadata lies after each block's data.</param>
    /// <param name="headOfMetadata">The information is at the beginning of the metadata, else at its end.</param>
    /// <param name="type">1, 2 or 3.</param>
    /// <param name="flags">What to verify.</param>
    /// <param name="format">The layout.</param>
    /// <exception cref="SpindleException">EINVAL, naming the parameter as the RPCs do.</exception>
    public ProtectionInformation(uint dataBlockSize, uint metadataSize, bool interleaved, bool headOfMetadata, DifType type,
        DifCheckFlags flags, DifFormat format)
    {
        if (type is < DifType.Type1 or > DifType.Type3)
            throw new SpindleException(Errno.EINVAL, $"dif_type {(int)type} is not valid: it is 0 (none), 1, 2 or 3.");
        if (format > DifFormat.Guard64)
            throw new SpindleException(Errno.EINVAL, $"dif_pi_format {(int)format} is not valid: it is 0 (16-bit guard), 1 (32-bit) or 2 (64-bit).");
        _size = ProtectionTuple.SizeOf(format);
        if (metadataSize < _size)
            throw new SpindleException(Errno.EINVAL, $"md_size {metadataSize} has no room for protection information of {_size} bytes: give a larger md_size, or dif_type 0.");
        uint unit = format == DifFormat.Guard16 ? 512u : 4096u;
        if (dataBlockSize == 0 || dataBlockSize % unit != 0)
            throw new SpindleException(Errno.EINVAL, $"block_size {dataBlockSize} must be a multiple of {unit} with dif_pi_format {(int)format}.");
        uint tail = metadataSize - (uint)_size;
        _interleaved = interleaved;
        _stride = interleaved ? dataBlockSize + metadataSize : dataBlockSize;
        _metadataSize = metadataSize;
        _guardInBlock = interleaved && !headOfMetadata ? dataBlockSize + tail : dataBlockSize;
        _guardInMetadata = interleaved || headOfMetadata ? 0 : tail;
        _type = type;
        _flags = flags;
        _format = format;
        _mask = ProtectionTuple.ReferenceMask(format);
    }

    /// <summary>The usual checks of a type: guard, and for types 1 and 2 the reference tag. (No command carries an application tag to check.)</summary>
    public static DifCheckFlags DefaultFlags(DifType type) => type switch
    {
        DifType.None => DifCheckFlags.None,
        DifType.Type3 => DifCheckFlags.Guard,
        _ => DifCheckFlags.Guard | DifCheckFlags.ReferenceTag,
    };

    /// <summary>Verifies contiguous blocks.</summary>
    /// <param name="data">The first block.</param>
    /// <param name="metadata">Its metadata, where that is separate.</param>
    /// <param name="count">Blocks.</param>
    /// <param name="firstBlock">The first one's address.</param>
    /// <param name="failed">The address of the first block that fails.</param>
    [DataPath]
    public DifResult Verify(byte* data, byte* metadata, ulong count, ulong firstBlock, out ulong failed)
    {
        failed = 0;
        for (ulong i = 0; i < count; i++, data += _stride, metadata += _metadataSize)
        {
            byte* tuple = _interleaved ? data + _guardInBlock : metadata + _guardInMetadata;
            var result = Check(new ReadOnlySpan<byte>(tuple, _size), GuardOf(data, metadata), firstBlock + i);
            if (result == DifResult.Ok) continue;
            failed = firstBlock + i;
            return result;
        }
        return DifResult.Ok;
    }

    /// <summary>Generates the information of contiguous blocks, with application tag 0.</summary>
    [DataPath]
    public void Generate(byte* data, byte* metadata, ulong count, ulong firstBlock)
    {
        for (ulong i = 0; i < count; i++, data += _stride, metadata += _metadataSize)
        {
            byte* tuple = _interleaved ? data + _guardInBlock : metadata + _guardInMetadata;
            new ProtectionTuple(GuardOf(data, metadata), 0, Reference(firstBlock + i)).Write(new Span<byte>(tuple, _size), _format);
        }
    }

    /// <summary>Writes the information of contiguous blocks whose data and metadata are all zero, with the tags that turn its checks off.</summary>
    [DataPath]
    public void MarkUnchecked(byte* data, byte* metadata, ulong count)
    {
        if (count == 0) return;
        var tuple = new ProtectionTuple(GuardOf(data, metadata), ProtectionTuple.EscapeApplicationTag, _mask);
        for (ulong i = 0; i < count; i++, data += _stride, metadata += _metadataSize)
            tuple.Write(new Span<byte>(_interleaved ? data + _guardInBlock : metadata + _guardInMetadata, _size), _format);
    }

    /// <summary>As <see cref="Renumber(byte*, byte*, ulong, ulong)"/>, in scattered buffers.</summary>
    [DataPath]
    public void Renumber(ReadOnlySpan<IoVec> buffers, byte* metadata, ulong count, ulong firstBlock)
    {
        if (_type == DifType.Type3) return;
        if (buffers.Length <= 1 || !_interleaved)
        {
            Renumber(buffers.Length == 0 ? null : buffers[0].Pointer, metadata, count, firstBlock);
            return;
        }
        var reading = new IoVecCursor(buffers);
        var writing = new IoVecCursor(buffers);
        byte* gathered = stackalloc byte[16];
        for (ulong i = 0; i < count; i++)
        {
            reading.Skip(_guardInBlock);
            writing.Skip(_guardInBlock);
            reading.CopyTo(gathered, (uint)_size);
            Renumber(gathered, firstBlock + i);
            writing.CopyFrom(gathered, (uint)_size);
            reading.Skip(_stride - _guardInBlock - (uint)_size);
            writing.Skip(_stride - _guardInBlock - (uint)_size);
        }
    }

    private void Renumber(byte* at, ulong block)
    {
        var bytes = new Span<byte>(at, _size);
        var tuple = ProtectionTuple.Read(bytes, _format);
        if (!IsUnchecked(tuple)) (tuple with { ReferenceTag = Reference(block) }).Write(bytes, _format);
    }

    /// <summary>Gives contiguous blocks that were copied from elsewhere the reference tags of where they are now.</summary>
    [DataPath]
    public void Renumber(byte* data, byte* metadata, ulong count, ulong firstBlock)
    {
        if (_type == DifType.Type3) return;
        for (ulong i = 0; i < count; i++, data += _stride, metadata += _metadataSize)
            Renumber(_interleaved ? data + _guardInBlock : metadata + _guardInMetadata, firstBlock + i);
    }

    /// <summary>Verifies blocks in scattered buffers, which may be split anywhere.</summary>
    [DataPath]
    public DifResult Verify(ReadOnlySpan<IoVec> buffers, byte* metadata, ulong count, ulong firstBlock, out ulong failed)
    {
        if (buffers.Length == 1) return Verify(buffers[0].Pointer, metadata, count, firstBlock, out failed);
        failed = 0;
        var cursor = new IoVecCursor(buffers);
        byte* gathered = stackalloc byte[16];
        for (ulong i = 0; i < count; i++, metadata += _metadataSize)
        {
            ulong guard = GuardOf(ref cursor, metadata);
            byte* tuple = metadata + _guardInMetadata;
            if (_interleaved)
            {
                cursor.CopyTo(gathered, (uint)_size);
                cursor.Skip(_stride - _guardInBlock - (uint)_size);
                tuple = gathered;
            }
            var result = Check(new ReadOnlySpan<byte>(tuple, _size), guard, firstBlock + i);
            if (result == DifResult.Ok) continue;
            failed = firstBlock + i;
            return result;
        }
        return DifResult.Ok;
    }

    /// <summary>Generates the information of blocks in scattered buffers, with application tag 0.</summary>
    [DataPath]
    public void Generate(ReadOnlySpan<IoVec> buffers, byte* metadata, ulong count, ulong firstBlock)
    {
        if (buffers.Length == 1)
        {
            Generate(buffers[0].Pointer, metadata, count, firstBlock);
            return;
        }
        var cursor = new IoVecCursor(buffers);
        byte* scattered = stackalloc byte[16];
        for (ulong i = 0; i < count; i++, metadata += _metadataSize)
        {
            ulong guard = GuardOf(ref cursor, metadata);
            byte* tuple = _interleaved ? scattered : metadata + _guardInMetadata;
            new ProtectionTuple(guard, 0, Reference(firstBlock + i)).Write(new Span<byte>(tuple, _size), _format);
            if (!_interleaved) continue;
            cursor.CopyFrom(scattered, (uint)_size);
            cursor.Skip(_stride - _guardInBlock - (uint)_size);
        }
    }

    private ulong GuardOf(byte* data, byte* metadata)
    {
        ulong guard = Continue(0, data, _guardInBlock);
        return _guardInMetadata == 0 ? guard : Continue(guard, metadata, _guardInMetadata);
    }

    private ulong GuardOf(ref IoVecCursor cursor, byte* metadata)
    {
        ulong guard = 0;
        for (uint left = _guardInBlock; left > 0;)
        {
            uint piece = cursor.Piece(left, out byte* at);
            guard = Continue(guard, at, piece);
            left -= piece;
        }
        return _guardInMetadata == 0 ? guard : Continue(guard, metadata, _guardInMetadata);
    }

    private ulong Continue(ulong guard, byte* data, uint length) => _format switch
    {
        DifFormat.Guard16 => Crc.T10((ushort)guard, data, length),
        DifFormat.Guard32 => Crc.Castagnoli((uint)guard, data, length),
        _ => Crc.Nvme64(guard, data, length),
    };

    // Type 3 has no meaning for the reference tag; SPDK keeps it the same for all blocks of a command, here 0.
    private ulong Reference(ulong block) => _type == DifType.Type3 ? 0 : block & _mask;

    private bool IsUnchecked(in ProtectionTuple tuple) => tuple.ApplicationTag == ProtectionTuple.EscapeApplicationTag &&
        (_type != DifType.Type3 || tuple.ReferenceTag == _mask);

    private DifResult Check(ReadOnlySpan<byte> bytes, ulong guard, ulong block)
    {
        var tuple = ProtectionTuple.Read(bytes, _format);
        if (IsUnchecked(tuple)) return DifResult.Ok;
        if ((_flags & DifCheckFlags.Guard) != 0 && tuple.Guard != guard) return DifResult.Guard;
        if ((_flags & DifCheckFlags.ApplicationTag) != 0 && tuple.ApplicationTag != 0) return DifResult.ApplicationTag;
        if ((_flags & DifCheckFlags.ReferenceTag) != 0 && _type != DifType.Type3 && tuple.ReferenceTag != Reference(block))
            return DifResult.ReferenceTag;
        return DifResult.Ok;
    }
}

/// <summary>What a failed check is told as.</summary>
public static class DifResults
{
    /// <summary>The NVMe status of a failed check: media and data integrity error, 82h to 84h (NVMe Base Specification 2.0, figure 98).</summary>
    /// <param name="result">What verification found.</param>
    /// <param name="block">The block that failed.</param>
    [DataPath]
    public static BdevIoResult ToIoResult(this DifResult result, ulong block) => result switch
    {
        DifResult.Ok => BdevIoResult.Of(BdevIoStatus.Success),
        DifResult.Guard => BdevIoResult.FromProtection(0x82, block),
        DifResult.ApplicationTag => BdevIoResult.FromProtection(0x83, block),
        _ => BdevIoResult.FromProtection(0x84, block),
    };
}
