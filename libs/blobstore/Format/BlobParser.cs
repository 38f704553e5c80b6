using System.Buffers.Binary;
using System.Text;

namespace Spindle.Blobs.Format;

/// <summary>Reads a blob from its metadata pages. Nothing in them is believed: every length, count and number is checked before it is used.</summary>
/// <param name="layout">The store's geometry.</param>
/// <param name="page">The metadata page of a number, which is below the layout's; null when it is not a page with a right CRC.</param>
internal sealed class BlobParser(StoreLayout layout, Func<uint, byte[]?> page)
{
    /// <summary>The largest blob, in clusters; what a damaged or hostile store may make this process allocate is bounded by it.</summary>
    public const uint MostClusters = 1 << 26;

    private BlobRecord _blob = null!;
    private List<BlobXattr> _xattrs = [], _internal = [];
    private List<uint> _chain = [];
    private List<uint> _table = [];
    private uint[] _runs = [];
    private uint _runCount;
    private ulong? _tableClusters;
    private bool _hasFlags, _hasRle;

    /// <summary>Reads the blob whose first page is given.</summary>
    /// <exception cref="SpindleException">EILSEQ: what is wrong.</exception>
    public BlobRecord Parse(uint root)
    {
        _blob = new BlobRecord { Id = MetadataPage.BlobIdBit | root };
        (_xattrs, _internal, _chain, _table, _runs, _runCount, _tableClusters, _hasFlags, _hasRle) = ([], [], [], [], [], 0, null, false, false);
        uint number = root;
        for (uint sequence = 0; ; sequence++)
        {
            byte[] bytes = PageOf(number, sequence == 0 ? "its first page" : $"page {sequence} of its chain");
            if (MetadataPage.Id(bytes) != _blob.Id) throw Wrong($"page {number} of its chain belongs to blob 0x{MetadataPage.Id(bytes):x}");
            if (MetadataPage.Sequence(bytes) != sequence) throw Wrong($"page {number} of its chain has sequence number {MetadataPage.Sequence(bytes)} in place of {sequence}");
            ReadDescriptors(bytes.AsSpan(MetadataPage.DescriptorsAt, MetadataPage.DescriptorBytes));
            uint next = MetadataPage.Next(bytes);
            if (next == MetadataPage.NoPage) break;
            // The sequence numbers make a circle impossible; a chain longer than the region is one.
            if (sequence >= layout.MetadataLength) throw Wrong("its chain does not end");
            _chain.Add(number = next);
        }
        _blob.Xattrs = _xattrs;
        _blob.InternalXattrs = _internal;
        _blob.ChainPages = [.. _chain];
        FinishClusters();
        FinishParent();
        return _blob;
    }

    private byte[] PageOf(uint number, string what)
    {
        if (number >= layout.MetadataLength) throw Wrong($"{what} is said to be metadata page {number}, and there are {layout.MetadataLength}");
        return page(number) ?? throw Wrong($"{what}, metadata page {number}, has a wrong CRC");
    }

    private void ReadDescriptors(ReadOnlySpan<byte> rest)
    {
        while (rest.Length >= 5)
        {
            byte type = rest[0];
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(rest[1..]);
            if (type == 0 && length == 0) break;
            if (length > rest.Length - 5) throw Wrong($"a descriptor of type {type} has {length} bytes, more than its page");
            var body = rest.Slice(5, (int)length);
            switch (type)
            {
                case 0: break;
                case 1: ReadRuns(body); break;
                case 2: _xattrs.Add(ReadXattr(body, _xattrs)); break;
                case 3: ReadFlags(body); break;
                case 4: _internal.Add(ReadXattr(body, _internal)); break;
                case 5: ReadTable(body); break;
                default: throw Wrong($"a descriptor has type {type}, which is not known");
            }
            rest = rest[(5 + (int)length)..];
        }
    }

    private void ReadFlags(ReadOnlySpan<byte> body)
    {
        if (body.Length != 24) throw Wrong($"its flags have {body.Length} bytes, not 24");
        if (_hasFlags) throw Wrong("it has flags twice");
        _hasFlags = true;
        _blob.InvalidFlags = BinaryPrimitives.ReadUInt64LittleEndian(body);
        _blob.DataRoFlags = BinaryPrimitives.ReadUInt64LittleEndian(body[8..]);
        _blob.MdRoFlags = BinaryPrimitives.ReadUInt64LittleEndian(body[16..]);
        if ((_blob.InvalidFlags & ~BlobRecord.KnownInvalidFlags) != 0) throw Wrong($"it needs features that are not known (invalid_flags 0x{_blob.InvalidFlags:x})");
    }

    private BlobXattr ReadXattr(ReadOnlySpan<byte> body, List<BlobXattr> before)
    {
        if (body.Length < 4) throw Wrong("an xattr has no lengths");
        int name = BinaryPrimitives.ReadUInt16LittleEndian(body), value = BinaryPrimitives.ReadUInt16LittleEndian(body[2..]);
        if (name == 0 || body.Length != 4 + name + value) throw Wrong($"an xattr's lengths, {name} and {value}, do not make its {body.Length} bytes");
        var xattr = new BlobXattr(Encoding.Latin1.GetString(body.Slice(4, name)), body.Slice(4 + name, value).ToArray());
        if (BlobRecord.Find(before, xattr.Name) is not null) throw Wrong($"it has the xattr '{xattr.Name}' twice");
        return xattr;
    }

    private void ReadRuns(ReadOnlySpan<byte> body)
    {
        if (body.Length == 0 || body.Length % 8 != 0) throw Wrong($"its list of extents has {body.Length} bytes");
        _hasRle = true;
        for (; body.Length > 0; body = body[8..])
        {
            uint cluster = BinaryPrimitives.ReadUInt32LittleEndian(body), count = BinaryPrimitives.ReadUInt32LittleEndian(body[4..]);
            if (count > MostClusters - _runCount) throw Wrong($"it has more than {MostClusters} clusters");
            if (cluster != 0 && (cluster >= layout.TotalClusters || count > layout.TotalClusters - cluster))
                throw Wrong($"it has clusters {cluster} to {(ulong)cluster + count}, and the store has {layout.TotalClusters}");
            if (_runs.Length < _runCount + count) Array.Resize(ref _runs, (int)Math.Min(MostClusters, Math.Max(_runCount + count, _runCount * 2)));
            for (uint i = 0; i < count; i++) _runs[_runCount + i] = cluster == 0 ? 0 : cluster + i;
            _runCount += count;
        }
    }

    private void ReadTable(ReadOnlySpan<byte> body)
    {
        if (body.Length < 8 || body.Length % 8 != 0) throw Wrong($"its extent table has {body.Length} bytes");
        ulong clusters = BinaryPrimitives.ReadUInt64LittleEndian(body);
        if (clusters > MostClusters) throw Wrong($"it has {clusters} clusters, more than {MostClusters}");
        if (_tableClusters is { } other && other != clusters) throw Wrong($"its extent tables say {other} and {clusters} clusters");
        _tableClusters = clusters;
        int most = BlobRecord.ExtentPageCount(clusters);
        for (body = body[8..]; body.Length > 0; body = body[8..])
        {
            uint number = BinaryPrimitives.ReadUInt32LittleEndian(body), count = BinaryPrimitives.ReadUInt32LittleEndian(body[4..]);
            if (count > most - _table.Count) throw Wrong($"its extent table has more than the {most} pages of {clusters} clusters");
            if (number != 0 && count != 1) throw Wrong($"its extent table has page {number} {count} times");
            for (uint i = 0; i < count; i++) _table.Add(number);
        }
    }

    private void FinishClusters()
    {
        if (_hasRle && _tableClusters is not null) throw Wrong("it has a list of extents and an extent table");
        if (_hasRle && _blob.UsesExtentTable) throw Wrong("it has a list of extents, and its flags say that it has an extent table");
        if (_tableClusters is not null && !_blob.UsesExtentTable) throw Wrong("it has an extent table, and its flags say that it has none");
        if (_tableClusters is null)
        {
            Array.Resize(ref _runs, (int)_runCount);
            _blob.Clusters = _runs;
        }
        else
        {
            if (_table.Count != BlobRecord.ExtentPageCount(_tableClusters.Value)) throw Wrong($"its extent table has {_table.Count} pages, too few for {_tableClusters} clusters");
            _blob.ExtentPages = [.. _table];
            _blob.Clusters = new uint[_tableClusters.Value];
            for (int i = 0; i < _table.Count; i++)
                if (_table[i] != 0) ReadExtentPage(i, _table[i]);
        }
        if (!_blob.IsThin && Array.IndexOf(_blob.Clusters, 0u) is >= 0 and var missing) throw Wrong($"its cluster {missing} is missing, though it is not thin");
        foreach (uint cluster in _blob.Clusters)
            if (cluster != 0 && cluster < layout.MetadataClusters) throw Wrong($"it has cluster {cluster}, which is the metadata's");
    }

    private void ReadExtentPage(int index, uint number)
    {
        byte[] bytes = PageOf(number, $"its extent page {index}");
        var rest = bytes.AsSpan(MetadataPage.DescriptorsAt, MetadataPage.DescriptorBytes);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(rest[1..]);
        if (MetadataPage.Sequence(bytes) != 0 || MetadataPage.Next(bytes) != MetadataPage.NoPage || rest[0] != 6 || length < 8 || length % 4 != 0 || length > (uint)rest.Length - 5)
            throw Wrong($"metadata page {number} is not an extent page");
        var body = rest.Slice(5, (int)length);
        if (rest.Length - 5 - body.Length >= 5 && BinaryPrimitives.ReadUInt32LittleEndian(rest[(6 + body.Length)..]) != 0)
            throw Wrong($"extent page {number} holds more than one descriptor");
        uint first = (uint)index * BlobRecord.ClustersPerExtentPage, start = BinaryPrimitives.ReadUInt32LittleEndian(body);
        if (start != first) throw Wrong($"extent page {number} starts at cluster {start} in place of {first}");
        int count = Math.Min(BlobRecord.ClustersPerExtentPage, _blob.Clusters.Length - (int)first), there = (body.Length - 4) / 4;
        // More or fewer than there should be: a change of size that was broken off before the first page said so.
        for (int i = 0; i < Math.Min(count, there); i++)
        {
            uint cluster = BinaryPrimitives.ReadUInt32LittleEndian(body[(4 + (4 * i))..]);
            if (cluster >= layout.TotalClusters) throw Wrong($"it has cluster {cluster}, and the store has {layout.TotalClusters}");
            _blob.Clusters[first + i] = cluster;
        }
    }

    private void FinishParent()
    {
        foreach (string name in (string[])[BlobRecord.ParentName, BlobRecord.InProgressName, BlobRecord.PendingRemovalName])
            if (BlobRecord.Find(_internal, name) is { Length: not 8 } value) throw Wrong($"its xattr {name} has {value.Length} bytes, not 8");
        if (_blob.IsExternalClone && BlobRecord.Find(_internal, BlobRecord.ExternalName) is not { Length: > 0 }) throw Wrong("it is a clone of a device outside of the store, and does not say of which");
        if (_blob.IsExternalClone && !_blob.IsThin) throw Wrong("it is a clone of a device outside of the store, and not thin");
    }

    private SpindleException Wrong(string what) => new(Errno.EILSEQ, $"Blob 0x{_blob.Id:x} is damaged: {what}.");
}
