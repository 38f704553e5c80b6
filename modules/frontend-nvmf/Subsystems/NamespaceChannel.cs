using System.Numerics;
using System.Runtime.CompilerServices;
using Spindle.Bdevs;
using Spindle.Frontend.Nvmf.Commands.Io.Zones;
using Spindle.Memory;

namespace Spindle.Frontend.Nvmf.Subsystems;

/// <summary>A poll group's door to a namespace's bdev, with what its commands need at hand. On the group's thread only.</summary>
internal sealed class NamespaceChannel
{
    private readonly Stack<ZoneWalk> _walks = new();
    private Action? _drained;

    /// <summary>Another version of the bdev's module has taken over: the bdev is another object of the same geometry.</summary>
    public void OnBdevReplaced() => Bdev = Channel.Bdev;

    public NamespaceChannel(NvmfNamespace ns, IBdevChannel channel, IBdevChannel? inserting = null)
    {
        Inserting = inserting;
        HasProtection = ns.HasProtection;
        Namespace = ns;
        Channel = channel;
        Bdev = channel.Bdev;
        BlockSize = ns.Descriptor.BlockSize;
        BlockShift = BitOperations.IsPow2(BlockSize) ? BitOperations.Log2(BlockSize) : -1;
        AnaGroupId = ns.AnaGroupId;
        CanFlush = Bdev.Supports(BdevIoType.Flush);
        CanUnmap = Bdev.Supports(BdevIoType.Unmap);
        CanWrite = Bdev.Supports(BdevIoType.Write);
        FlushAfterForcedWrite = CanFlush && Bdev.WriteCache;
        ZoneSize = Bdev.ZoneSizeBlocks;
        CanAppend = ns.CanAppend;
        LongestAppend = Bdev.MaxZoneAppendBlocks == 0 ? uint.MaxValue : Bdev.MaxZoneAppendBlocks;
        Exercise();
    }

    /// <summary>Opens the calling thread's.</summary>
    /// <exception cref="SpindleException">ENODEV: the bdev is being removed.</exception>
    public static NamespaceChannel Open(NvmfNamespace ns)
    {
        IBdevChannel channel = ns.Descriptor.GetChannel();
        try
        {
            return new NamespaceChannel(ns, channel, OpenInserting(ns));
        }
        catch
        {
            channel.Put();
            throw;
        }
    }

    private static IBdevChannel? OpenInserting(NvmfNamespace ns)
    {
        if (!ns.InsertsProtection) return null;
        try
        {
            return ns.Descriptor.GetHidingChannel();
        }
        catch (SpindleException e) when (e.Errno == Errno.ENOTSUP)
        {
            return null; // its blocks do not fit a buffer: hosts bring protection information themselves
        }
    }

    /// <summary>Hosts see protection information.</summary>
    public bool HasProtection { get; }

    /// <summary>The bdev's channel for commands that have protection information inserted or stripped; null: there are none.</summary>
    public IBdevChannel? Inserting { get; }

    /// <summary>The namespace.</summary>
    public NvmfNamespace Namespace { get; }

    /// <summary>The bdev's channel on this thread.</summary>
    public IBdevChannel Channel { get; }

    /// <summary>The bdev.</summary>
    public Bdev Bdev { get; private set; }

    /// <summary>Bytes of a block, metadata that hosts see included.</summary>
    public uint BlockSize { get; }

    /// <summary>Log2 of <see cref="BlockSize"/>, or -1 when it is not a power of two.</summary>
    public int BlockShift { get; }

    /// <summary>The ANA group.</summary>
    public uint AnaGroupId { get; }

    /// <summary>The bdev carries out flushes.</summary>
    public bool CanFlush { get; }

    /// <summary>The bdev carries out unmaps.</summary>
    public bool CanUnmap { get; }

    /// <summary>The bdev carries out writes.</summary>
    public bool CanWrite { get; }

    /// <summary>A write that must be durable when it completes needs a flush.</summary>
    public bool FlushAfterForcedWrite { get; }

    /// <summary>Blocks from one zone to the next; 0 for a namespace without zones.</summary>
    public ulong ZoneSize { get; }

    /// <summary>Zone appends are carried out.</summary>
    public bool CanAppend { get; }

    /// <summary>Blocks of the largest zone append.</summary>
    public uint LongestAppend { get; }

    /// <summary>The state of a command that goes over the zones.</summary>
    [DataPath]
    public ZoneWalk TakeWalk() => _walks.Count > 0 ? _walks.Pop() : NewWalk();

    /// <summary>Takes it back.</summary>
    [DataPath]
    public void ReturnWalk(ZoneWalk walk) => _walks.Push(walk);

    // As many as there were at a time, then never again.
    private static ZoneWalk NewWalk() => new();

    /// <summary>Commands that use the channel.</summary>
    public int Outstanding { get; private set; }

    /// <inheritdoc cref="IBdevChannel.Read"/>
    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    public int Read(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state) =>
        Channel.Read(buffers, offsetBlocks, numBlocks, callback, state);

    /// <inheritdoc cref="IBdevChannel.Write"/>
    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    public int Write(ReadOnlySpan<IoVec> buffers, ulong offsetBlocks, ulong numBlocks, BdevIoCallback callback, object? state) =>
        Channel.Write(buffers, offsetBlocks, numBlocks, callback, state);

    /// <inheritdoc cref="IBdevChannel.TryReadInPlace"/>
    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    public bool TryReadInPlace(ulong offsetBlocks, ulong numBlocks, out IoVec data) => Channel.TryReadInPlace(offsetBlocks, numBlocks, out data);

    /// <inheritdoc cref="IBdevChannel.TryWriteAtOnce"/>
    [DataPath, MethodImpl(MethodImplOptions.NoInlining)]
    public bool TryWriteAtOnce(ulong offsetBlocks, ReadOnlySpan<byte> data) => Channel.TryWriteAtOnce(offsetBlocks, data);

    /// <summary>A call by way of an interface finds its target at its first two runs, which takes some ten microseconds each: better here than for the first command.
    /// I/O of no blocks is refused, and counted nowhere.</summary>
    private void Exercise()
    {
        for (int round = 0; round < 2; round++)
        {
            _ = Read(default, 0, 0, static (object? _, in BdevIoResult _) => { }, null);
            _ = Write(default, 0, 0, static (object? _, in BdevIoResult _) => { }, null);
            _ = TryReadInPlace(0, 0, out _);
            _ = TryWriteAtOnce(0, default);
        }
    }

    /// <summary>A command begins to use the channel.</summary>
    [DataPath]
    public void OnRequestBegun() => Outstanding++;

    /// <summary>A command that used the channel has ended.</summary>
    [DataPath]
    public void OnRequestEnded()
    {
        if (--Outstanding == 0 && _drained is not null) Release();
    }

    /// <summary>Gives the channel back once no command uses it, then calls <paramref name="drained"/>.</summary>
    public void Close(Action drained)
    {
        _drained = drained;
        if (Outstanding == 0) Release();
    }

    private void Release()
    {
        Action drained = _drained!;
        _drained = null;
        Channel.Put();
        Inserting?.Put();
        drained();
    }
}
