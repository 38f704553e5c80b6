using Spindle.Bdevs;
using Spindle.Dif;
using Spindle.Memory;
using Spindle.Threading;

namespace Spindle.ContractTests.Protection;

/// <summary>What a <see cref="PlainDisk"/> is made of.</summary>
public sealed record PlainDiskOptions
{
    public uint DataBlockSize { get; init; } = 512;
    public uint MetadataSize { get; init; } = 8;
    public bool Interleaved { get; init; }
    public bool Head { get; init; }
    public DifType Type { get; init; } = DifType.Type1;
    public DifFormat Format { get; init; }
    public DifCheckFlags? Flags { get; init; }
    public uint MaxRwBlocks { get; init; }
    public int MaxSegments { get; init; }
    public uint Boundary { get; init; }
    public uint WriteUnit { get; init; } = 1;
    public uint Alignment { get; init; } = 1;

    public override string ToString() => $"{DataBlockSize}+{MetadataSize}{(Interleaved ? " interleaved" : "")}{(Head ? " head" : "")} {Type} {Format} rw {MaxRwBlocks} segments {MaxSegments} boundary {Boundary} unit {WriteUnit} align {Alignment}";
}

/// <summary>A disk in an array that keeps metadata and does not look at it, so that whatever finds an error is the layer. It checks that what reaches it keeps to its limits.</summary>
public sealed unsafe class PlainDisk : Spindle.Bdevs.Bdev
{
    public const ulong Blocks = 1024;

    private readonly PlainDiskOptions _options;
    private readonly byte[] _data;
    private readonly byte[] _metadata;

    public PlainDisk(string name, PlainDiskOptions options) : base(name, "plain", options.DataBlockSize + (options.Interleaved ? options.MetadataSize : 0), Blocks)
    {
        _options = options;
        MetadataSize = options.MetadataSize;
        MetadataInterleaved = options.Interleaved;
        DifType = options.Type;
        DifFormat = options.Format;
        DifIsHeadOfMetadata = options.Head;
        DifCheckFlags = options.Flags ?? ProtectionInformation.DefaultFlags(options.Type);
        MaxRwBlocks = options.MaxRwBlocks;
        MaxSegments = options.MaxSegments;
        OptimalIoBoundary = options.Boundary;
        SplitOnOptimalIoBoundary = options.Boundary > 0;
        WriteUnitBlocks = options.WriteUnit;
        SplitOnWriteUnit = options.WriteUnit > 1;
        RequiredAlignment = options.Alignment;
        _data = new byte[BlockSize * Blocks];
        _metadata = new byte[MetadataSize * Blocks];
        new Span<byte>(_data).Fill(0xFF); // as deallocated blocks: all FFh turns the checks off
        new Span<byte>(_metadata).Fill(0xFF);
    }

    public PlainDiskOptions Options => _options;

    /// <summary>Called for each I/O; true: it has been dealt with.</summary>
    public Func<PlainDisk, BdevIo, bool>? OnSubmit { get; set; }

    /// <summary>What came that the geometry forbids.</summary>
    public string? Violation { get; private set; }

    /// <summary>Bytes of a block's metadata.</summary>
    public Span<byte> MetadataOf(ulong block) => _options.Interleaved ? _data.AsSpan((int)(block * BlockSize + _options.DataBlockSize), (int)MetadataSize) : _metadata.AsSpan((int)(block * MetadataSize), (int)MetadataSize);

    /// <summary>Bytes of a block's data.</summary>
    public Span<byte> DataOf(ulong block) => _data.AsSpan((int)(block * BlockSize), (int)_options.DataBlockSize);

    /// <summary>The protection information of a block.</summary>
    public Span<byte> TupleOf(ulong block)
    {
        int size = _options.Format == DifFormat.Guard16 ? 8 : 16;
        var metadata = MetadataOf(block);
        return _options.Head ? metadata[..size] : metadata[^size..];
    }

    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write;

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    public override void Submit(IoChannel channel, BdevIo io)
    {
        if (OnSubmit?.Invoke(this, io) == true) return;
        CarryOut(io);
    }

    public void CarryOut(BdevIo io)
    {
        Check(io);
        int at = (int)(io.OffsetBlocks * BlockSize);
        foreach (var vector in io.Iovs)
        {
            var stored = _data.AsSpan(at, (int)vector.Length);
            if (io.Type == BdevIoType.Read) stored.CopyTo(vector.Span);
            else vector.Span.CopyTo(stored);
            at += (int)vector.Length;
        }
        if (!_options.Interleaved)
        {
            var stored = _metadata.AsSpan((int)(io.OffsetBlocks * MetadataSize), (int)(io.NumBlocks * MetadataSize));
            if (io.Metadata is null && io.Type == BdevIoType.Write) stored.Fill(0xEE); // nobody brought any
            else if (io.Metadata is not null && io.Type == BdevIoType.Write) new Span<byte>(io.Metadata, stored.Length).CopyTo(stored);
            else if (io.Metadata is not null) stored.CopyTo(new Span<byte>(io.Metadata, stored.Length));
        }
        io.Complete(io.Generation, BdevIoStatus.Success);
    }

    private void Check(BdevIo io)
    {
        if (_options.MaxRwBlocks > 0 && io.NumBlocks > _options.MaxRwBlocks) Violation ??= $"{io.NumBlocks} blocks";
        if (_options.MaxSegments > 0 && io.IovCount > _options.MaxSegments) Violation ??= $"{io.IovCount} vectors";
        if (_options.Boundary > 0 && io.OffsetBlocks % _options.Boundary + io.NumBlocks > _options.Boundary) Violation ??= $"{io.NumBlocks} blocks from {io.OffsetBlocks} cross a boundary";
        if (io.Type == BdevIoType.Write && (io.OffsetBlocks % _options.WriteUnit != 0 || io.NumBlocks % _options.WriteUnit != 0)) Violation ??= $"a write of {io.NumBlocks} blocks at {io.OffsetBlocks}";
        foreach (var vector in io.Iovs)
            if (((nuint)vector.Pointer & (_options.Alignment - 1)) != 0) Violation ??= "an unaligned vector";
    }

    private sealed class Channel : IoChannel;
}
