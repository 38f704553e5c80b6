using Microsoft.Extensions.Logging;
using Spindle;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Rpc;
using Spindle.Threading;

namespace Acme.Checksum;

/// <summary>The bdev. A checksum belongs to its block whichever thread writes it, so one storage thread of its own does the work (<see cref="ChecksumEngine"/>), and
/// I/O reaches it by message.</summary>
internal sealed class ChecksumBdev : Bdev
{
    public const string Notification = "acme_checksum_error";

    private readonly IBdevDescriptor _base;
    private readonly ChecksumEngine _engine;
    private readonly ErrorLog _errors;
    private readonly IDmaMemory _memory;
    private readonly ILogger _log;

    public ChecksumBdev(IBdevDescriptor lower, ChecksumEngine engine, ErrorLog errors, IDmaMemory memory, ILogger log)
        : base(engine.Layout.Name, "Acme checksum disk", engine.BlockSize, engine.Layout.DataBlocks)
    {
        (_base, _engine, _errors, _memory, _log) = (lower, engine, errors, memory, log);
        Uuid = engine.Layout.Uuid;
        BaseBdevNames = [lower.Bdev.Name];
        RequiredAlignment = lower.Bdev.RequiredAlignment;
        WriteCache = lower.Bdev.WriteCache;
    }

    /// <summary>Set by the RPC that ends it for good.</summary>
    public bool IsDeleted { get; set; }

    // What unmapped blocks read as is the base's to say, and has no checksum: they are not unmapped.
    public override bool Supports(BdevIoType type) => type is BdevIoType.Read or BdevIoType.Write or BdevIoType.WriteZeroes or BdevIoType.Flush;

    protected override IoChannel CreateChannel(IStorageThread thread) => new Channel();

    public override object CreateIoContext(BdevIo io) => new ChecksumIo(io, _engine);

    [DataPath]
    public override void Submit(IoChannel channel, BdevIo io) => ((ChecksumIo)io.Context!).Start(channel.Thread);

    /// <summary>After the last channel: the checksums go to the base, and its marks from it. Where the base is gone already they are made anew when it is back.</summary>
    public override async ValueTask DestructAsync()
    {
        int error = await _engine.CloseAsync();
        if (error != 0) _log.LogWarning("{Disk}: '{Base}' takes no more writes ({Error}); checksums of what was written last are made anew when it comes up again", Name, _base.Bdev.Name, Errno.Message(-error));
        if (IsDeleted) await EraseAsync();
        _base.Close();
    }

    private async Task EraseAsync()
    {
        try
        {
            using var disk = new BaseDisk(_base, _memory);
            disk.Data[..(int)disk.BlockSize].Clear();
            await disk.WriteAsync(0, 1);
            await disk.FlushAsync();
        }
        catch (SpindleException e)
        {
            _log.LogError("{Disk}: its superblock stays on the base, and it comes up again with it: {Error}", Name, e.Message);
        }
    }

    public ChecksumErrors Errors() => _errors.Read();

    public override void DumpInfo(IRpcWriter writer)
    {
        writer.Name("base_bdev_name");
        writer.String(_base.Bdev.Name);
        writer.Name("checksum_errors");
        writer.Number(_errors.Read().Count);
    }

    private sealed class Channel : IoChannel;
}
