using Spindle.Memory;

namespace Spindle.Dif;

/// <summary>Puts metadata to blocks of somebody who gives and gets data alone, and takes it away again. Whole blocks lie one after the other in a buffer, interleaved
/// metadata in each, separate metadata in memory of its own. Immutable; on any thread.</summary>
/// <param name="dataBlockSize">Bytes of data in a block.</param>
/// <param name="metadataSize">Bytes of metadata of a block.</param>
/// <param name="interleaved">The metadata lies after each block's data.</param>
/// <param name="protection">What to generate and verify; null: the metadata is zero on writes, and not looked at on reads.</param>
[DataPath]
public sealed unsafe class HiddenMetadata(uint dataBlockSize, uint metadataSize, bool interleaved, ProtectionInformation? protection)
{
    private readonly uint _stride = interleaved ? dataBlockSize + metadataSize : dataBlockSize;

    /// <summary>Copies data into whole blocks, and makes their metadata while they are in the cache.</summary>
    /// <param name="data">Exactly the blocks' data.</param>
    /// <param name="blocks">Where to.</param>
    /// <param name="metadata">Where to, when separate.</param>
    /// <param name="count">Blocks.</param>
    /// <param name="firstBlock">The first one's address.</param>
    public void Insert(ReadOnlySpan<IoVec> data, byte* blocks, byte* metadata, ulong count, ulong firstBlock)
    {
        var cursor = new IoVecCursor(data);
        for (ulong i = 0; i < count; i++, blocks += _stride, metadata += metadataSize)
        {
            cursor.CopyTo(blocks, dataBlockSize);
            MakeMetadata(blocks, metadata, firstBlock + i);
        }
    }

    /// <summary>Makes whole blocks whose data is zero.</summary>
    public void InsertZeroes(byte* blocks, byte* metadata, ulong count, ulong firstBlock)
    {
        for (ulong i = 0; i < count; i++, blocks += _stride, metadata += metadataSize)
        {
            new Span<byte>(blocks, (int)dataBlockSize).Clear();
            MakeMetadata(blocks, metadata, firstBlock + i);
        }
    }

    /// <summary>Makes separate metadata of data that stays where it is.</summary>
    public void MakeSeparate(ReadOnlySpan<IoVec> data, byte* metadata, ulong count, ulong firstBlock)
    {
        new Span<byte>(metadata, (int)(count * metadataSize)).Clear();
        protection?.Generate(data, metadata, count, firstBlock);
    }

    /// <summary>Verifies whole blocks, and copies out the data of those that pass, up to the first that does not.</summary>
    /// <param name="blocks">The blocks.</param>
    /// <param name="metadata">Their metadata, when separate.</param>
    /// <param name="data">Where to: exactly the blocks' data.</param>
    /// <param name="count">Blocks.</param>
    /// <param name="firstBlock">The first one's address.</param>
    /// <param name="failed">The address of the one that does not pass.</param>
    public DifResult Strip(byte* blocks, byte* metadata, ReadOnlySpan<IoVec> data, ulong count, ulong firstBlock, out ulong failed)
    {
        var cursor = new IoVecCursor(data);
        for (ulong i = 0; i < count; i++, blocks += _stride, metadata += metadataSize)
        {
            if (protection is not null && protection.Verify(blocks, metadata, 1, firstBlock + i, out failed) is var result and not DifResult.Ok) return result;
            cursor.CopyFrom(blocks, dataBlockSize);
        }
        failed = 0;
        return DifResult.Ok;
    }

    /// <summary>Verifies whole blocks, and compares their data with other data.</summary>
    /// <param name="blocks">The blocks.</param>
    /// <param name="metadata">Their metadata, when separate.</param>
    /// <param name="data">What to compare with: exactly the blocks' data.</param>
    /// <param name="count">Blocks.</param>
    /// <param name="firstBlock">The first one's address.</param>
    /// <param name="failed">The address of the first block that does not pass.</param>
    /// <param name="equal">All data is the same; meaningful when all blocks pass.</param>
    public DifResult Compare(byte* blocks, byte* metadata, ReadOnlySpan<IoVec> data, ulong count, ulong firstBlock, out ulong failed, out bool equal)
    {
        equal = true;
        if (Verify(blocks, metadata, count, firstBlock, out failed) is var result and not DifResult.Ok) return result;
        var cursor = new IoVecCursor(data);
        for (ulong i = 0; i < count && equal; i++, blocks += _stride) equal = cursor.EqualsNext(blocks, dataBlockSize);
        return DifResult.Ok;
    }

    /// <summary>Verifies whole blocks.</summary>
    public DifResult Verify(byte* blocks, byte* metadata, ulong count, ulong firstBlock, out ulong failed)
    {
        failed = 0;
        return protection is null ? DifResult.Ok : protection.Verify(blocks, metadata, count, firstBlock, out failed);
    }

    /// <summary>Verifies blocks with separate metadata whose data lies scattered.</summary>
    public DifResult VerifySeparate(ReadOnlySpan<IoVec> data, byte* metadata, ulong count, ulong firstBlock, out ulong failed)
    {
        failed = 0;
        return protection is null ? DifResult.Ok : protection.Verify(data, metadata, count, firstBlock, out failed);
    }

    /// <summary>Gives whole blocks the reference tags of another place.</summary>
    public void Renumber(byte* blocks, byte* metadata, ulong count, ulong firstBlock) => protection?.Renumber(blocks, metadata, count, firstBlock);

    private void MakeMetadata(byte* block, byte* metadata, ulong address)
    {
        new Span<byte>(interleaved ? block + dataBlockSize : metadata, (int)metadataSize).Clear();
        protection?.Generate(block, metadata, 1, address);
    }
}
