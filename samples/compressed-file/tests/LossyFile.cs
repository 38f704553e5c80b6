using System.Runtime.InteropServices;
using Spindle.Io;
using Spindle.Memory;

namespace Acme.CompressedFile.Tests;

/// <summary>A file that loses power: of what was written since the last flush, <see cref="CutPower"/> keeps a sector or puts back what was there before.</summary>
internal sealed class LossyFile : IStoreFile
{
    private const int Sector = StoreFormat.SectorSize;

    private readonly string _path;
    private readonly IStoreFile _inner;
    private readonly Dictionary<long, Change> _changes = [];
    private bool _isOff;

    public LossyFile(RingFile file) => (_path, _inner) = (file.Path, new RingStoreFile(file));

    /// <summary>Flushes that ended well so far.</summary>
    public int Flushes { get; private set; }

    /// <summary>What every flush from now on ends with, if anything.</summary>
    public int FlushError { get; set; }

    /// <summary>The power goes when so many more flushes are asked for; 0: it does not.</summary>
    public int PowerOffAtFlush { get; set; }

    /// <summary>From here on nothing reaches the disk. Then the bdev is taken away, and <see cref="CutPower"/> decides.</summary>
    public void PowerOff() => _isOff = true;

    public int Read(IIoRing ring, ReadOnlySpan<IoVec> buffers, long offset, FileOperation operation) => _inner.Read(ring, buffers, offset, operation);

    /// <summary>Reads what is there before it writes.</summary>
    public int Write(IIoRing ring, ReadOnlySpan<IoVec> buffers, long offset, FileOperation operation)
    {
        if (_isOff) return -Spindle.Errno.EIO;
        IoVec[] vectors = buffers.ToArray();
        int length = vectors.Sum(vector => (int)vector.Length);
        Assert.True(offset % Sector == 0 && length % Sector == 0, "the store writes whole sectors");
        var written = new List<Change>();
        for (long sector = offset / Sector; sector < (offset + length) / Sector; sector++)
        {
            if (!_changes.TryGetValue(sector, out var change)) _changes[sector] = change = new Change();
            change.UnderWay++;
            written.Add(change);
        }
        var before = new Before(length);
        return _inner.Read(ring, [before.Memory], offset, new Wrapped(read =>
        {
            // Beyond the end of the file there was nothing.
            for (int i = 0; i < written.Count; i++) written[i].Before ??= before.Take(i * Sector, read);
            before.Dispose();
            int error = _inner.Write(ring, vectors, offset, new Wrapped(result =>
            {
                written.ForEach(change => change.UnderWay--);
                operation.Completed(result);
            }));
            if (error < 0) operation.Completed(error);
        }));
    }

    public int Flush(IIoRing ring, FileOperation operation)
    {
        if (PowerOffAtFlush > 0 && --PowerOffAtFlush == 0) PowerOff();
        if (_isOff) return -Spindle.Errno.EIO;
        // Durable is what had ended when the flush began.
        var durable = _changes.Where(change => change.Value.UnderWay == 0).Select(change => change.Key).ToList();
        int forced = FlushError;
        return _inner.Flush(ring, new Wrapped(result =>
        {
            if (forced != 0) result = forced;
            if (result == 0 && !_isOff)
            {
                Flushes++;
                foreach (long sector in durable) _changes.Remove(sector);
            }
            operation.Completed(result);
        }));
    }

    /// <summary>The bdev is gone: what the disk holds now.</summary>
    /// <param name="keeps">Which of the bytes of the file that were written since the last flush have made it.</param>
    public void CutPower(Func<long, bool> keeps)
    {
        using var file = File.OpenHandle(_path, FileMode.Open, FileAccess.ReadWrite);
        foreach (var (sector, change) in _changes)
            if (!keeps(sector * Sector)) RandomAccess.Write(file, change.Before!, sector * Sector);
        _changes.Clear();
    }

    public void Dispose() => _inner.Dispose();

    private sealed class Change
    {
        public byte[]? Before { get; set; }
        public int UnderWay { get; set; }
    }

    private sealed unsafe class Before(int length) : IDisposable
    {
        private readonly byte* _memory = (byte*)NativeMemory.AllocZeroed((nuint)length);

        public IoVec Memory => new(_memory, (uint)length);

        public byte[] Take(int at, int read)
        {
            byte[] sector = new byte[Sector];
            if (read > at) new ReadOnlySpan<byte>(_memory + at, Math.Min(Sector, read - at)).CopyTo(sector);
            return sector;
        }

        public void Dispose() => NativeMemory.Free(_memory);
    }

    private sealed class Wrapped(Action<int> completed) : FileOperation
    {
        public override void Completed(int result) => completed(result);
    }
}
