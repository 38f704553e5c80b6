using System.Buffers.Binary;
using System.Text;

namespace Spindle.Blobs.Format;

/// <summary>Writes a blob as metadata pages, in the order that SPDK has: flags, xattrs, internal xattrs, clusters.</summary>
internal sealed class BlobSerializer
{
    /// <summary>The largest name and value of an xattr together: they are never split between pages.</summary>
    public const int MostXattrBytes = MetadataPage.DescriptorBytes - 9;

    private readonly BlobRecord _blob;
    private readonly List<byte[]> _pages = [];
    private int _at;

    private BlobSerializer(BlobRecord blob) => _blob = blob;

    /// <summary>The pages of a blob's chain; not linked and without CRCs, since where the later ones go is not known yet.</summary>
    public static List<byte[]> Chain(BlobRecord blob)
    {
        var serializer = new BlobSerializer(blob);
        serializer.Write();
        return serializer._pages;
    }

    /// <summary>Links the pages and gives them their CRCs.</summary>
    /// <param name="pages">The chain.</param>
    /// <param name="numbers">Where the pages after the first go.</param>
    public static void Link(List<byte[]> pages, IReadOnlyList<uint> numbers)
    {
        for (int i = 0; i < pages.Count; i++)
        {
            MetadataPage.SetNext(pages[i], i < numbers.Count ? numbers[i] : MetadataPage.NoPage);
            MetadataPage.Seal(pages[i]);
        }
    }

    /// <summary>An extent page.</summary>
    /// <param name="id">The blob.</param>
    /// <param name="clusters">The blob's clusters.</param>
    /// <param name="index">Which 512 of them.</param>
    public static byte[] ExtentPage(ulong id, ReadOnlySpan<uint> clusters, int index)
    {
        byte[] page = MetadataPage.New(id, 0);
        int first = index * BlobRecord.ClustersPerExtentPage;
        var part = clusters[first..Math.Min(clusters.Length, first + BlobRecord.ClustersPerExtentPage)];
        var body = page.AsSpan(MetadataPage.DescriptorsAt);
        body[0] = 6;
        BinaryPrimitives.WriteUInt32LittleEndian(body[1..], 4 + (4 * (uint)part.Length));
        BinaryPrimitives.WriteUInt32LittleEndian(body[5..], (uint)first);
        for (int i = 0; i < part.Length; i++) BinaryPrimitives.WriteUInt32LittleEndian(body[(9 + (4 * i))..], part[i]);
        MetadataPage.Seal(page);
        return page;
    }

    private int Left => MetadataPage.DescriptorBytes - _at;

    private void AddPage()
    {
        _pages.Add(MetadataPage.New(_blob.Id, (uint)_pages.Count));
        _at = 0;
    }

    private Span<byte> Descriptor(byte type, int length)
    {
        var span = _pages[^1].AsSpan(MetadataPage.DescriptorsAt + _at, 5 + length);
        span[0] = type;
        BinaryPrimitives.WriteUInt32LittleEndian(span[1..], (uint)length);
        _at += 5 + length;
        return span[5..];
    }

    private void Write()
    {
        AddPage();
        var flags = Descriptor(3, 24);
        BinaryPrimitives.WriteUInt64LittleEndian(flags, _blob.InvalidFlags);
        BinaryPrimitives.WriteUInt64LittleEndian(flags[8..], _blob.DataRoFlags);
        BinaryPrimitives.WriteUInt64LittleEndian(flags[16..], _blob.MdRoFlags);
        foreach (var xattr in _blob.Xattrs) WriteXattr(2, xattr);
        foreach (var xattr in _blob.InternalXattrs) WriteXattr(4, xattr);
        if (_blob.UsesExtentTable) WriteTable();
        else if (_blob.ClusterCount > 0) WriteRuns();
    }

    private void WriteXattr(byte type, BlobXattr xattr)
    {
        int length = 4 + xattr.Name.Length + xattr.Value.Length;
        if (Left < 5 + length) AddPage();
        var body = Descriptor(type, length);
        BinaryPrimitives.WriteUInt16LittleEndian(body, (ushort)xattr.Name.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(body[2..], (ushort)xattr.Value.Length);
        Encoding.Latin1.GetBytes(xattr.Name, body[4..]);
        xattr.Value.CopyTo(body[(4 + xattr.Name.Length)..]);
    }

    private void WriteTable()
    {
        var entries = new List<(uint Page, uint Count)>();
        foreach (uint page in _blob.ExtentPages)
        {
            if (page == 0 && entries.Count > 0 && entries[^1].Page == 0) entries[^1] = (0, entries[^1].Count + 1);
            else entries.Add((page, 1));
        }
        int done = 0;
        do
        {
            if (Left < 5 + 8 + (entries.Count > 0 ? 8 : 0)) AddPage();
            int count = Math.Min(entries.Count - done, (Left - 13) / 8);
            var body = Descriptor(5, 8 + (8 * count));
            BinaryPrimitives.WriteUInt64LittleEndian(body, _blob.ClusterCount);
            WriteEntries(body[8..], entries, done, count);
            done += count;
        }
        while (done < entries.Count);
    }

    private void WriteRuns()
    {
        var runs = new List<(uint First, uint Count)>();
        foreach (uint cluster in _blob.Clusters)
        {
            if (runs.Count > 0 && runs[^1] is var last && (last.First == 0 ? cluster == 0 : cluster == last.First + last.Count)) runs[^1] = (last.First, last.Count + 1);
            else runs.Add((cluster, 1));
        }
        for (int done = 0; done < runs.Count;)
        {
            if (Left < 13) AddPage();
            int count = Math.Min(runs.Count - done, (Left - 5) / 8);
            WriteEntries(Descriptor(1, 8 * count), runs, done, count);
            done += count;
        }
    }

    private static void WriteEntries(Span<byte> body, List<(uint, uint)> entries, int from, int count)
    {
        for (int i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(body[(8 * i)..], entries[from + i].Item1);
            BinaryPrimitives.WriteUInt32LittleEndian(body[((8 * i) + 4)..], entries[from + i].Item2);
        }
    }
}
