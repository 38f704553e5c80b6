using Spindle.Bdev.Nvme.Controllers;
using Spindle.Bdev.Nvme.Namespaces;
using Spindle.Bdevs;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Identify;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Bdev.Nvme.Bdevs;

/// <summary>A bdev on a namespace, by one path or several.</summary>
internal sealed class NvmeBdev : Spindle.Bdevs.Bdev
{
    private const uint MaxBlocks = 1 << 16; // NLB has 16 bits
    private const OptionalNvmCommandSupport Optional = OptionalNvmCommandSupport.Compare | OptionalNvmCommandSupport.DatasetManagement
        | OptionalNvmCommandSupport.WriteZeroes | OptionalNvmCommandSupport.Copy;

    private readonly ControllerGroup _group;
    private readonly OptionalNvmCommandSupport _commands;
    private readonly bool _fused, _sendsFlush;
    private readonly Lock _channelsLock = new(); // channels come and go on their own threads; not on the data path
    private NvmeBdevChannel[] _channels = [];
    private NvmeNamespace[] _paths = [];
    private MultipathChoice _choice = MultipathChoice.Default;

    internal NvmeBdev(string name, ControllerGroup group, NvmeNamespace path, ControllerSession session, NvmeOptions options)
        : base(name, "NVMe disk", path.Info.BlockSize, path.Info.Blocks)
    {
        _group = group;
        var info = path.Info;
        Info = info;
        Options = options;
        Uuid = info.BdevUuid(path.Controller.Path.Address.Subnqn, session.SerialNumber);
        _commands = session.Identify.Oncs & Optional;
        _fused = (session.Identify.Fuses & FusedOperationSupport.CompareAndWrite) != 0;
        WriteCache = (session.Identify.Vwc & VolatileWriteCacheAttributes.Present) != 0;
        _sendsFlush = options.EnableFlush && WriteCache;
        PhysicalBlockSize = info.DataSize;
        MaxRwBlocks = Math.Clamp(session.MaxTransferBytes / info.BlockSize, 1, MaxBlocks);
        MaxSegments = Transports.NvmeTransport.MaxVectors;
        MaxUnmapBlocks = uint.MaxValue;
        MaxWriteZeroesBlocks = MaxBlocks;
        MaxCopyBlocks = Math.Min(info.MaxCopyBlocks, MaxBlocks);
        OptimalIoBoundary = info.OptimalBoundary;
        MetadataSize = info.MetadataSize;
        MetadataInterleaved = info.MetadataSize > 0;
        DifType = info.DifType;
        DifIsHeadOfMetadata = info.DifIsHead;
        if (info.DifType != DifType.None)
        {
            DifCheckFlags = (path.Controller.Path.CheckGuard ? DifCheckFlags.Guard : 0) | (path.Controller.Path.CheckReferenceTag ? DifCheckFlags.ReferenceTag : 0);
            CommandFlags = (NvmIoFlags)((uint)DifCheckFlags >> 16);
        }
        if (_fused)
        {
            uint atomic = info.AtomicCompareAndWriteBlocks != 0 ? info.AtomicCompareAndWriteBlocks : session.Identify.Acwu + 1u;
            AtomicCompareAndWriteBlocks = (ushort)Math.Min(Math.Min(atomic, MaxRwBlocks), ushort.MaxValue);
        }
    }

    internal NamespaceInfo Info { get; }
    internal NvmeOptions Options { get; }

    /// <summary>Flags of read and write commands: what is checked of protection information.</summary>
    internal NvmIoFlags CommandFlags { get; }

    /// <summary>It is on its way out. On the app thread.</summary>
    internal bool IsLeaving { get; set; }

    /// <summary>Its removal, once that has begun. On the app thread.</summary>
    internal Task? Removal { get; set; }

    /// <summary>A flush is a command; otherwise all that was acknowledged is durable, or the operator has it so.</summary>
    internal bool SendsFlush => _sendsFlush;

    /// <summary>The paths, the preferred one first. On any thread.</summary>
    internal NvmeNamespace[] Paths => Volatile.Read(ref _paths);

    /// <summary>How they are used. On any thread.</summary>
    internal MultipathChoice Choice
    {
        get => Volatile.Read(ref _choice);
        set
        {
            Volatile.Write(ref _choice, value);
            RefreshChannels();
        }
    }

    /// <summary>Adds a path. On the app thread, as for the other changes.</summary>
    internal void AddPath(NvmeNamespace path)
    {
        path.Bdev = this;
        SetPaths([.. _paths, path]);
    }

    internal void RemovePath(NvmeNamespace path)
    {
        path.Bdev = null;
        SetPaths([.. _paths.Where(p => p != path)]);
    }

    /// <summary>Puts the path by a controller first.</summary>
    /// <returns>False when there is none.</returns>
    internal bool Prefer(ushort cntlid)
    {
        if (_paths.FirstOrDefault(p => p.Controller.Cntlid == cntlid) is not { } preferred) return false;
        SetPaths([preferred, .. _paths.Where(p => p != preferred)]);
        return true;
    }

    private void SetPaths(NvmeNamespace[] paths)
    {
        Volatile.Write(ref _paths, paths);
        RefreshChannels();
    }

    private void RefreshChannels()
    {
        NvmeBdevChannel[] channels;
        lock (_channelsLock) channels = _channels;
        foreach (var channel in channels) channel.Thread.Send(static state => ((NvmeBdevChannel)state!).OnPathsChanged(), channel);
    }

    /// <inheritdoc/>
    public override bool Supports(BdevIoType type) => type switch
    {
        BdevIoType.Read or BdevIoType.Write or BdevIoType.Flush or BdevIoType.Reset or BdevIoType.Abort => true,
        BdevIoType.Unmap => (_commands & OptionalNvmCommandSupport.DatasetManagement) != 0,
        BdevIoType.WriteZeroes => (_commands & OptionalNvmCommandSupport.WriteZeroes) != 0,
        BdevIoType.Compare => (_commands & OptionalNvmCommandSupport.Compare) != 0,
        BdevIoType.CompareAndWrite => _fused,
        BdevIoType.Copy => (_commands & OptionalNvmCommandSupport.Copy) != 0 && Info.MaxCopyBlocks > 0,
        _ => false,
    };

    /// <inheritdoc/>
    protected override IoChannel CreateChannel(IStorageThread thread)
    {
        var channel = new NvmeBdevChannel(this, thread, _group.Threads);
        lock (_channelsLock) _channels = [.. _channels, channel];
        channel.OnPathsChanged();
        return channel;
    }

    internal void Forget(NvmeBdevChannel channel)
    {
        lock (_channelsLock) _channels = [.. _channels.Where(c => c != channel)];
    }

    /// <inheritdoc/>
    public override object CreateIoContext(BdevIo io) => new NvmeIo(this, io);

    /// <inheritdoc/>
    [DataPath]
    public override void Submit(IoChannel channel, BdevIo io) => ((NvmeIo)io.Context!).Start((NvmeBdevChannel)channel);

    /// <inheritdoc/>
    [DataPath]
    public override void FlushChannel(IoChannel channel) => ((NvmeBdevChannel)channel).Flush();

    /// <inheritdoc/>
    public override ValueTask DestructAsync()
    {
        _group.Forget(this);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public override void DumpInfo(IRpcWriter writer) => NvmeBdevInfo.Write(writer, this);

    /// <summary>Resets all its controllers. On the app thread.</summary>
    /// <returns>True when one of them came back.</returns>
    internal async Task<bool> ResetControllersAsync()
    {
        bool any = false;
        foreach (var path in Paths)
        {
            try
            {
                await path.Controller.ResetAsync();
                any = true;
            }
            catch (SpindleException)
            {
                // Another path may do.
            }
        }
        return any;
    }
}
