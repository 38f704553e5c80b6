using System.Buffers.Binary;
using System.Text;
using Spindle.Blobs.Format;
using Spindle.Blobs.Images;

namespace Spindle.Blobs.Repair;

/// <summary>A metadata page as it is on disk.</summary>
/// <param name="Bytes">4096.</param>
/// <param name="IsValid">Its CRC is right.</param>
internal readonly record struct RawPage(byte[] Bytes, bool IsValid);

/// <summary>Reads of a damaged blob what can be read. Unlike <see cref="BlobParser"/> it goes on after what does not fit, and says what is lost by it.</summary>
/// <param name="layout">The store's geometry.</param>
/// <param name="page">The metadata page of a number below the layout's.</param>
internal sealed class BlobSalvage(StoreLayout layout, Func<uint, Task<RawPage>> page)
{
    private BlobRecord _blob = null!;
    private List<BlobXattr> _xattrs = [], _internal = [];
    private List<uint> _clusters = [], _table = [];
    private ulong? _tableClusters;

    /// <summary>What is lost of the last one, in sentences.</summary>
    public List<string> Losses { get; private set; } = [];

    /// <summary>True when something of the last one comes from a page with a wrong CRC: it may be wrong in a way that cannot be seen.</summary>
    public bool IsDoubtful { get; private set; }

    /// <summary>Reads the blob that starts, or started, at a page; null when nothing of it is left.</summary>
    /// <exception cref="SpindleException">ENOTSUP: it is whole, and needs what this version does not know. Errors of reading.</exception>
    public async Task<BlobRecord?> ReadAsync(uint root)
    {
        _blob = new BlobRecord { Id = MetadataPage.BlobIdBit | root };
        (_xattrs, _internal, _clusters, _table, _tableClusters, Losses, IsDoubtful) = ([], [], [], [], null, [], false);
        var first = await page(root);
        if (!StoreReader.IsRoot(root, first.Bytes)) return null;
        IsDoubtful = !first.IsValid;
        ReadDescriptors(first);
        uint next = MetadataPage.Next(first.Bytes);
        for (uint sequence = 1; next != MetadataPage.NoPage; sequence++)
        {
            var raw = next < layout.MetadataLength && sequence <= layout.MetadataLength ? await page(next) : default;
            if (raw.Bytes is null || MetadataPage.Id(raw.Bytes) != _blob.Id || MetadataPage.Sequence(raw.Bytes) != sequence)
            {
                Losses.Add($"its metadata from page {sequence} of its chain on is lost");
                break;
            }
            IsDoubtful |= !raw.IsValid;
            ReadDescriptors(raw);
            next = MetadataPage.Next(raw.Bytes);
        }
        _blob.Xattrs = _xattrs;
        _blob.InternalXattrs = _internal;
        await FinishClustersAsync();
        FinishFlags();
        return _blob;
    }

    private void ReadDescriptors(RawPage raw)
    {
        var rest = raw.Bytes.AsSpan(MetadataPage.DescriptorsAt, MetadataPage.DescriptorBytes);
        while (rest.Length >= 5)
        {
            byte type = rest[0];
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(rest[1..]);
            if (type == 0 && length == 0) return;
            if (length > (uint)rest.Length - 5)
            {
                Losses.Add("a part of its metadata makes no sense and is dropped");
                return;
            }
            ReadDescriptor(type, rest.Slice(5, (int)length), raw.IsValid);
            rest = rest[(5 + (int)length)..];
        }
    }

    private void ReadDescriptor(byte type, ReadOnlySpan<byte> body, bool isValid)
    {
        switch (type)
        {
            case 0: break;
            case 1: ReadRuns(body); break;
            case 2: ReadXattr(body, _xattrs); break;
            case 4: ReadXattr(body, _internal); break;
            case 5: ReadTable(body); break;
            case 3 when body.Length == 24:
                _blob.InvalidFlags = BinaryPrimitives.ReadUInt64LittleEndian(body);
                _blob.DataRoFlags = BinaryPrimitives.ReadUInt64LittleEndian(body[8..]);
                _blob.MdRoFlags = BinaryPrimitives.ReadUInt64LittleEndian(body[16..]);
                if (isValid && (_blob.InvalidFlags & ~BlobRecord.KnownInvalidFlags) != 0)
                    throw new SpindleException(Errno.ENOTSUP, $"Blob 0x{_blob.Id:x} needs features that this version does not know (invalid_flags 0x{_blob.InvalidFlags:x}); it would be lost. Repair the store with the version that made it.");
                _blob.InvalidFlags &= BlobRecord.KnownInvalidFlags;
                break;
            default: Losses.Add($"a descriptor of type {type} is dropped"); break;
        }
    }

    private void ReadXattr(ReadOnlySpan<byte> body, List<BlobXattr> to)
    {
        int name = body.Length < 4 ? 0 : BinaryPrimitives.ReadUInt16LittleEndian(body), value = body.Length < 4 ? 0 : BinaryPrimitives.ReadUInt16LittleEndian(body[2..]);
        if (name == 0 || body.Length != 4 + name + value)
        {
            Losses.Add("an xattr of it makes no sense and is dropped");
            return;
        }
        var xattr = new BlobXattr(Encoding.Latin1.GetString(body.Slice(4, name)), body.Slice(4 + name, value).ToArray());
        if (BlobRecord.Find(to, xattr.Name) is null) to.Add(xattr);
    }

    private void ReadRuns(ReadOnlySpan<byte> body)
    {
        for (; body.Length >= 8; body = body[8..])
        {
            uint cluster = BinaryPrimitives.ReadUInt32LittleEndian(body), count = BinaryPrimitives.ReadUInt32LittleEndian(body[4..]);
            if (count > layout.TotalClusters && cluster != 0) count = layout.TotalClusters;
            if (count > BlobParser.MostClusters - (uint)_clusters.Count)
            {
                Losses.Add("its list of extents makes no sense from some place on, which is dropped");
                return;
            }
            for (uint i = 0; i < count; i++) _clusters.Add(cluster == 0 ? 0 : cluster + i);
        }
    }

    private void ReadTable(ReadOnlySpan<byte> body)
    {
        if (body.Length < 8) return;
        ulong clusters = BinaryPrimitives.ReadUInt64LittleEndian(body);
        if (clusters > BlobParser.MostClusters) return;
        _tableClusters ??= clusters;
        int most = BlobRecord.ExtentPageCount(_tableClusters.Value);
        for (body = body[8..]; body.Length >= 8; body = body[8..])
        {
            uint number = BinaryPrimitives.ReadUInt32LittleEndian(body), count = BinaryPrimitives.ReadUInt32LittleEndian(body[4..]);
            if (number != 0) count = 1;
            for (uint i = 0; i < count && _table.Count < most; i++) _table.Add(number);
        }
    }

    private async Task FinishClustersAsync()
    {
        uint[] clusters = [.. _clusters];
        if (_tableClusters is { } count)
        {
            clusters = new uint[count];
            for (int i = 0; i < _table.Count; i++)
                if (_table[i] != 0) await ReadExtentPageAsync(clusters, i, _table[i]);
            _blob.InvalidFlags |= BlobRecord.ExtentTableFlag;
            _blob.ExtentPages = new uint[BlobRecord.ExtentPageCount(count)];
        }
        else _blob.InvalidFlags &= ~BlobRecord.ExtentTableFlag;
        int outside = 0;
        for (int i = 0; i < clusters.Length; i++)
        {
            if (clusters[i] == 0 || (clusters[i] >= layout.MetadataClusters && clusters[i] < layout.TotalClusters)) continue;
            clusters[i] = 0;
            outside++;
        }
        if (outside > 0) Losses.Add($"{outside} of its clusters are not where data can be");
        _blob.Clusters = clusters;
        if (_blob.IsThin || Array.IndexOf(clusters, 0u) < 0) return;
        _blob.InvalidFlags |= BlobRecord.ThinFlag;
        Losses.Add($"{clusters.Count(cluster => cluster == 0)} of its {clusters.Length} clusters are lost and read as zeroes; it is thin now");
    }

    private async Task ReadExtentPageAsync(uint[] clusters, int index, uint number)
    {
        uint first = (uint)index * BlobRecord.ClustersPerExtentPage;
        int most = Math.Min(BlobRecord.ClustersPerExtentPage, clusters.Length - (int)first);
        if (number < layout.MetadataLength && await page(number) is var raw && ReadExtents(raw.Bytes, clusters.AsSpan((int)first, most), first))
        {
            if (raw.IsValid) return;
            IsDoubtful = true;
            Losses.Add($"the page that lists its clusters {first} to {first + most} has a wrong CRC");
        }
        else Losses.Add($"the page that lists its clusters {first} to {first + most} is lost: what was written there reads as zeroes, or as its snapshot");
    }

    private static bool ReadExtents(byte[] bytes, Span<uint> clusters, uint first)
    {
        var rest = bytes.AsSpan(MetadataPage.DescriptorsAt, MetadataPage.DescriptorBytes);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(rest[1..]);
        if (rest[0] != 6 || length < 4 || length > (uint)rest.Length - 5 || BinaryPrimitives.ReadUInt32LittleEndian(rest[5..]) != first) return false;
        int count = Math.Min(clusters.Length, ((int)length - 4) / 4);
        for (int i = 0; i < count; i++) clusters[i] = BinaryPrimitives.ReadUInt32LittleEndian(rest[(9 + (4 * i))..]);
        return true;
    }

    private void FinishFlags()
    {
        foreach (string name in (string[])[BlobRecord.ParentName, BlobRecord.InProgressName, BlobRecord.PendingRemovalName])
            if (BlobRecord.Find(_internal, name) is { Length: not 8 }) _blob.RemoveInternal(name);
        if (_blob.IsExternalClone && BlobRecord.Find(_blob.InternalXattrs, BlobRecord.ExternalName) is not { Length: > 0 })
        {
            _blob.InvalidFlags &= ~BlobRecord.ExternalSnapshotFlag;
            Losses.Add("it was a clone of a device outside of the store, and of which is lost");
        }
        if (_blob.IsExternalClone) _blob.InvalidFlags |= BlobRecord.ThinFlag;
        if (_blob.InternalXattrs.Count > 0) _blob.InvalidFlags |= BlobRecord.InternalXattrFlag;
        if (!IsDoubtful) return;
        _blob.DataRoFlags |= BlobRecord.ReadOnlyFlag;
        Losses.Add("some of its metadata comes from a page with a wrong CRC; it is read-only now: compare what it holds before you rely on it");
    }
}
