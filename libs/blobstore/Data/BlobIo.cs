using System.Runtime.CompilerServices;
using Spindle.Bdevs;
using Spindle.Memory;

namespace Spindle.Blobs.Data;

/// <summary>One I/O on a blob: made with the pooled I/O, used again with it. On its channel's thread; the metadata thread has it while it asks for something there.</summary>
internal sealed unsafe class BlobIo(BdevIo io) : BdevIoWait
{
    internal BlobChannel Channel = null!;
    internal BlobIo? Next;
    /// <summary>The cluster of the blob that it waits for, or the first to be given back.</summary>
    internal uint Cluster;
    /// <summary>Clusters to be given back.</summary>
    internal uint ClusterCount;
    /// <summary>Set by the metadata thread: how what was asked for ended.</summary>
    internal int Error;

    private uint _generation;
    private ulong _at, _left, _piece;
    private bool _keepsClusters;

    private Blob Blob => Channel.Blob;

    /// <summary>The I/O has come.</summary>
    [DataPath]
    internal void Start(BlobChannel channel)
    {
        Channel = channel;
        _generation = io.Generation;
        _at = io.OffsetBlocks;
        _left = io.NumBlocks;
        _keepsClusters = false;
        _piece = 0;
        Begin();
    }

    /// <summary>Begins, or begins again after waiting.</summary>
    [DataPath]
    internal void Begin()
    {
        if (Channel.TryBegin(this)) Dispatch();
    }

    [DataPath]
    private void Dispatch()
    {
        switch (io.Type)
        {
            case BdevIoType.Read: Read(); break;
            case BdevIoType.Write: Write(); break;
            case BdevIoType.Unmap or BdevIoType.WriteZeroes: Clear(); break;
            case BdevIoType.Flush: Submitted(Channel.Base.Flush(0, Channel.Base.Bdev.BlockCount, Channel.Completed, this)); break;
            case BdevIoType.Reset: End(BdevIoResult.Of(BdevIoStatus.Success)); break;
            case BdevIoType.SeekData: Seek(there: true); break;
            case BdevIoType.SeekHole: Seek(there: false); break;
            default: End(BdevIoResult.FromErrno(Errno.ENOTSUP)); break;
        }
    }

    [DataPath]
    private void Read()
    {
        var geometry = Blob.Store.Geometry;
        uint index = geometry.ClusterOf(_at);
        uint[] map = Blob.Map;
        uint cluster = index < map.Length ? Volatile.Read(ref map[index]) : 0;
        if (cluster != 0) Submitted(Channel.Base.Read(io.Iovs, geometry.BaseBlock(cluster, _at), geometry.BaseBlocks(_left), Channel.Completed, this));
        else ReadBehind(index);
    }

    /// <summary>Reads what is not the blob's own: from the next snapshot that has it, from the device outside of the store, or zeroes.</summary>
    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    private void ReadBehind(uint index)
    {
        if (index >= Blob.Map.Length)
        {
            End(BdevIoResult.FromErrno(Errno.EIO));
            return;
        }
        var geometry = Blob.Store.Geometry;
        uint cluster = ClusterMap.Behind(Blob, index, out var last);
        if (cluster != 0) Submitted(Channel.Base.Read(io.Iovs, geometry.BaseBlock(cluster, _at), geometry.BaseBlocks(_left), Channel.Completed, this));
        else if (last is not null && last.Record.IsExternalClone) ReadOutside(last);
        else
        {
            foreach (ref readonly var piece in io.Iovs) piece.Span.Clear();
            End(BdevIoResult.Of(BdevIoStatus.Success));
        }
    }

    private void ReadOutside(Blob last)
    {
        if (last.External is not { } descriptor || Channel.External(descriptor) is not { } outside)
        {
            End(BdevIoResult.FromErrno(Errno.EIO));
            return;
        }
        ulong block = outside.Bdev.BlockSize, scale = Blob.Store.Geometry.IoUnitSize / block;
        ulong from = _at * scale, wanted = _left * scale, there = from >= outside.Bdev.BlockCount ? 0 : Math.Min(wanted, outside.Bdev.BlockCount - from);
        if (there == wanted)
        {
            Submitted(outside.Read(io.Iovs, from, wanted, Channel.Completed, this));
            return;
        }
        // What lies behind its end reads as zeroes.
        var vectors = Channel.Scratch(io.IovCount);
        int count = 0;
        ulong bytes = there * block;
        foreach (ref readonly var piece in io.Iovs)
        {
            uint part = (uint)Math.Min(bytes, piece.Length);
            if (part > 0) vectors[count++] = piece.Slice(0, part);
            if (part < piece.Length) piece.Span[(int)part..].Clear();
            bytes -= part;
        }
        if (there == 0) End(BdevIoResult.Of(BdevIoStatus.Success));
        else Submitted(outside.Read(vectors.AsSpan(0, count), from, there, Channel.Completed, this));
    }

    [DataPath]
    private void Write()
    {
        var geometry = Blob.Store.Geometry;
        uint index = geometry.ClusterOf(_at);
        uint[] map = Blob.Map;
        if (index >= map.Length || Blob.IsReadOnly)
        {
            End(BdevIoResult.FromErrno(Blob.IsReadOnly ? Errno.EPERM : Errno.EIO));
            return;
        }
        uint cluster = Volatile.Read(ref map[index]);
        if (cluster != 0) Submitted(Channel.Base.Write(io.Iovs, geometry.BaseBlock(cluster, _at), geometry.BaseBlocks(_left), Channel.Completed, this));
        else WaitForCluster(index);
    }

    [DataPath]
    private void WaitForCluster(uint index)
    {
        Cluster = index;
        bool asks = Channel.Wait(this);
        Channel.Leave();
        if (asks) Blob.Store.Thread.Send(Channel.AskForCluster, this);
    }

    /// <summary>Unmaps or writes zeroes, piece by piece: whole clusters of a thin blob with nothing behind it are given back.</summary>
    [DataPath]
    private void Clear()
    {
        var geometry = Blob.Store.Geometry;
        uint[] map = Blob.Map;
        bool unmap = io.Type == BdevIoType.Unmap;
        if (Blob.IsReadOnly)
        {
            End(BdevIoResult.FromErrno(Errno.EPERM));
            return;
        }
        while (_left > 0)
        {
            uint index = geometry.ClusterOf(_at);
            if (index >= map.Length)
            {
                End(BdevIoResult.FromErrno(Errno.EIO));
                return;
            }
            ulong piece = Math.Min(_left, geometry.ClusterIoUnits - geometry.InCluster(_at));
            uint cluster = Volatile.Read(ref map[index]);
            if (cluster == 0)
            {
                if (!unmap && ClusterMap.HasDataBehind(Blob, index))
                {
                    WaitForCluster(index);
                    return;
                }
                Advance(piece);
                continue;
            }
            if (piece == geometry.ClusterIoUnits && !_keepsClusters && ClusterMap.CanGiveBack(Blob))
            {
                GiveBack(index, (uint)(_left / geometry.ClusterIoUnits));
                return;
            }
            if (unmap && !Channel.CanUnmap)
            {
                // Only whole clusters mean anything then.
                Advance(piece);
                continue;
            }
            // As far as the clusters lie side by side on the device.
            while (piece < _left && index + 1 < map.Length && Volatile.Read(ref map[index + 1]) == cluster + 1 && !CanGiveBackNext(geometry, piece))
            {
                piece += Math.Min(_left - piece, geometry.ClusterIoUnits);
                index++;
                cluster++;
            }
            _piece = piece;
            ulong at = geometry.BaseBlock(Volatile.Read(ref map[geometry.ClusterOf(_at)]), _at), blocks = geometry.BaseBlocks(piece);
            var lower = Channel.Base;
            Submitted(unmap ? lower.Unmap(at, blocks, Channel.Completed, this) : lower.WriteZeroes(at, blocks, Channel.Completed, this));
            return;
        }
        End(BdevIoResult.Of(BdevIoStatus.Success));
    }

    [DataPath]
    private bool CanGiveBackNext(BlobGeometry geometry, ulong piece) => !_keepsClusters && _left - piece >= geometry.ClusterIoUnits && ClusterMap.CanGiveBack(Blob);

    [DataPath]
    private void Advance(ulong piece)
    {
        _at += piece;
        _left -= piece;
    }

    private void GiveBack(uint index, uint count)
    {
        (Cluster, ClusterCount) = (index, count);
        Channel.Leave();
        Blob.Store.Thread.Send(Channel.AskForRelease, this);
    }

    /// <summary>What was asked of the metadata thread has ended. On the channel's thread.</summary>
    internal void OnReleased()
    {
        if (Error == -Errno.EBUSY) _keepsClusters = true; // An operation that counts on them is under way: they are cleared where they are.
        else if (Error != 0)
        {
            Fail(Error);
            return;
        }
        else Advance((ulong)ClusterCount * Blob.Store.Geometry.ClusterIoUnits);
        Begin();
    }

    private void Seek(bool there)
    {
        var geometry = Blob.Store.Geometry;
        uint[] map = Blob.Map;
        for (uint index = geometry.ClusterOf(_at); index < map.Length; index++)
        {
            if (Volatile.Read(ref map[index]) != 0 != there) continue;
            End(BdevIoResult.WithValue(Math.Max(_at, (ulong)index * geometry.ClusterIoUnits)));
            return;
        }
        End(BdevIoResult.WithValue(ulong.MaxValue));
    }

    [DataPath]
    private void Submitted(int error)
    {
        if (error != 0) Refused(error);
    }

    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    private void Refused(int error)
    {
        if (error == -Errno.ENOMEM && Channel.Base.QueueIoWait(this) == 0) return;
        End(BdevIoResult.FromErrno(error));
    }

    /// <inheritdoc/>
    [DataPath]
    protected override void OnAvailable() => Dispatch();

    [DataPath]
    internal static void OnBaseCompleted(object? state, in BdevIoResult result)
    {
        var self = Unsafe.As<BlobIo>(state)!;
        if (self._piece == 0)
        {
            self.End(in result);
            return;
        }
        self.Advance(self._piece);
        self._piece = 0;
        if (result.IsSuccess) self.Clear();
        else self.End(in result);
    }

    [DataPath]
    private void End(in BdevIoResult result)
    {
        var channel = Channel;
        io.Complete(_generation, in result);
        channel.Leave();
    }

    /// <summary>Ends an I/O that waited.</summary>
    internal void Fail(int error) => io.Complete(_generation, BdevIoResult.FromErrno(error));
}
