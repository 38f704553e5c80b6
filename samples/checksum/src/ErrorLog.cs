using Microsoft.Extensions.Logging;
using Spindle;
using Spindle.Modules;
using Spindle.Threading;

namespace Acme.Checksum;

/// <summary>Altered blocks, on their way from the disk's thread to people. The data path neither logs nor allocates: it fills one of a fixed number of places and sends
/// the app thread a message.</summary>
internal sealed class ErrorLog(string disk, IModuleContext context, ILogger log)
{
    private const int Places = 64, Kept = 16;
    private static readonly StorageMessage s_drain = static state => ((ErrorLog)state!).Drain();

    private readonly (ulong Block, uint Stored, uint Found)[] _places = new (ulong, uint, uint)[Places];
    private readonly Queue<ChecksumError> _latest = new();
    private readonly IStorageThread _appThread = context.Threads.AppThread;
    private ulong _added, _seen;

    /// <summary>On the disk's thread.</summary>
    [DataPath]
    public void Add(ulong block, uint stored, uint found)
    {
        _places[_added % Places] = (block, stored, found);
        Volatile.Write(ref _added, _added + 1);
        _appThread.Send(s_drain, this);
    }

    private void Drain()
    {
        for (; _seen < Volatile.Read(ref _added); _seen++)
        {
            var (block, stored, found) = _places[_seen % Places];
            // It was filled again meanwhile: so many errors that this one is no news.
            if (Volatile.Read(ref _added) - _seen >= Places) continue;
            if (_latest.Count == Kept) _latest.Dequeue();
            _latest.Enqueue(new ChecksumError { Block = block, Stored = stored, Found = found });
            log.LogError("{Disk}: block {Block} was altered below: its CRC32C is {Found:x8}, and was {Stored:x8} when it was written", disk, block, found, stored);
            context.Notifications.Notify(ChecksumBdev.Notification, $"{disk}:{block}");
        }
    }

    /// <summary>On the app thread.</summary>
    public ChecksumErrors Read() => new() { Count = _seen, Latest = [.. _latest] };
}
