using Microsoft.Extensions.Logging;
using Spindle.Modules;
using Spindle.Virtual;

namespace Spindle.Bdev.Gpt;

/// <summary>Makes a bdev of each partition that is found on another one.</summary>
public sealed class GptModule : BdevModule
{
    private IModuleContext? _context;
    private ILogger? _log;
    private VirtualBdevs<GptAssociation>? _disks;
    private GptReader? _reader;

    /// <inheritdoc/>
    public override string Name => "bdev-gpt";

    /// <inheritdoc/>
    public override Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        var types = GptTypes.Parse(context.SettingsJson);
        _context = context;
        _log = context.Logging.CreateLogger(Name);
        _disks = new VirtualBdevs<GptAssociation>(context);
        _reader = new GptReader(context, types, _log);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public override bool ExaminesDisks => true;

    /// <inheritdoc/>
    public override async Task ExamineDiskAsync(Bdevs.Bdev bdev, CancellationToken cancellationToken)
    {
        if (_reader is null || _disks is null || _context is null || _log is null || bdev.BlockCount < 2 ||
            GptReader.DataBlockSize(bdev) % 512 != 0 || GptReader.DataBlockSize(bdev) > GptParser.LargestBlock) return;
        var table = await _reader.ReadAsync(bdev);
        // It may be gone by now, and another one may have its name.
        if (table is null || _context.Bdevs.Find(bdev.Name) != bdev) return;
        foreach (string reason in table.PassedOver) _log.LogWarning("{Bdev}: {Reason}", bdev.Name, reason);
        if (table.Partitions.Count == 0) return;
        var disk = new GptAssociation(bdev.Name, table.Partitions, _context.Bdevs, _log);
        try
        {
            if (!_disks.Add(disk)) await _disks.DeleteAsync(disk);
        }
        catch (SpindleException e)
        {
            _log.LogWarning("The partitions of {Bdev} are not shown: {Reason}", bdev.Name, e.Message);
        }
    }

    /// <inheritdoc/>
    public override ModuleUpgrade Upgrade => new GptUpgrade(() => _context is { } context && _disks is { } disks && _log is { } log
        ? (context, disks, log) : throw new SpindleException(Errno.EPROTO, "The module was not started."));
}
