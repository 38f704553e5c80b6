using Spindle;
using Spindle.Bdevs;
using Spindle.Memory;
using Spindle.Threading;

namespace Acme.Checksum;

/// <summary>The disk at work: I/O in an order in which data and checksum fit. On its own storage thread, unless a member says otherwise.</summary>
internal sealed class ChecksumEngine
{
    private readonly ErrorLog _errors;
    private IntentLog _intent = null!;
    private ChecksumCommit _commit = null!;
    private DmaBuffer _memory = null!;
    private ChecksumIo? _active, _firstWaiting, _lastWaiting;
    private bool _releasing, _releaseAgain;

    private ChecksumEngine(Layout layout, ChecksumTable table, IStorageThread thread, ErrorLog errors)
    {
        (Layout, Table, Thread, _errors) = (layout, table, thread, errors);
        byte[] zeroes = new byte[layout.BlockSize];
        ChecksumOfZeroes = Crc32C.Of(zeroes);
    }

    public Layout Layout { get; }

    public ChecksumTable Table { get; }

    public IStorageThread Thread { get; }

    public IBdevChannel Base { get; private set; } = null!;

    public uint BlockSize => Layout.BlockSize;

    public ulong FirstDataBlock => Layout.FirstDataBlock;

    public uint ChecksumOfZeroes { get; }

    /// <summary>Starts it. On the app thread.</summary>
    /// <param name="lower">The base, claimed.</param>
    /// <param name="layout">What is where.</param>
    /// <param name="table">The checksums as they are.</param>
    /// <param name="unclean">The regions that are marked on the base.</param>
    /// <param name="thread">Its own.</param>
    /// <param name="memory">Where buffers are from.</param>
    /// <param name="errors">Where altered blocks go.</param>
    public static async Task<ChecksumEngine> StartAsync(IBdevDescriptor lower, Layout layout, ChecksumTable table, BitSet unclean, IStorageThread thread, IDmaMemory memory, ErrorLog errors)
    {
        var engine = new ChecksumEngine(layout, table, thread, errors) { _memory = memory.Allocate(ChecksumCommit.MemorySize + layout.BlockSize) };
        try
        {
            bool flushes = lower.Bdev.Supports(BdevIoType.Flush);
            engine._intent = new IntentLog(engine, engine._memory.Slice(ChecksumCommit.MemorySize, layout.BlockSize), unclean, flushes);
            engine._commit = new ChecksumCommit(engine, engine._intent, engine._memory.Slice(0, ChecksumCommit.MemorySize), flushes);
            await thread.InvokeAsync(() =>
            {
                engine.Base = lower.GetChannel();
                engine._intent.StartPolling();
                return Task.CompletedTask;
            });
            return engine;
        }
        catch
        {
            engine._memory.Dispose();
            throw;
        }
    }

    [DataPath]
    public void Submit(ChecksumIo io)
    {
        if (!IsBlocked(io, null))
        {
            Begin(io);
            return;
        }
        io.Next = null;
        if (_firstWaiting is null) _firstWaiting = io;
        else _lastWaiting!.Next = io;
        _lastWaiting = io;
    }

    /// <summary>Whether blocks of it are being worked on, or were asked for before by one that waits.</summary>
    [DataPath]
    private bool IsBlocked(ChecksumIo io, ChecksumIo? until)
    {
        for (var other = _active; other is not null; other = other.Next) if (other.Conflicts(io)) return true;
        for (var other = _firstWaiting; other is not null && other != until; other = other.Next) if (other.Conflicts(io)) return true;
        return false;
    }

    [DataPath]
    private void Begin(ChecksumIo io)
    {
        (io.Next, _active) = (_active, io);
        if (io.Writes)
        {
            _intent.Touch(io);
            io.WaitsForIntent = !_intent.Covers(io);
            if (io.WaitsForIntent)
            {
                _intent.Request();
                return;
            }
        }
        io.Forward();
    }

    /// <summary>The intent on the base has changed, or cannot be changed: writes that waited for it go on.</summary>
    [DataPath]
    public void OnIntent(int error)
    {
        while (NextWithIntent(error) is { } io)
        {
            io.WaitsForIntent = false;
            if (error == 0) io.Forward();
            else End(io, BdevIoResult.FromErrno(error));
        }
    }

    // From the start each time: what goes on may end at once, and let others begin.
    [DataPath]
    private ChecksumIo? NextWithIntent(int error)
    {
        for (var io = _active; io is not null; io = io.Next) if (io.WaitsForIntent && (error != 0 || _intent.Covers(io))) return io;
        return null;
    }

    /// <summary>Has the regions of writes that are under way touched.</summary>
    [DataPath]
    public void TouchActive()
    {
        for (var io = _active; io is not null; io = io.Next) if (io.Writes) _intent.Touch(io);
    }

    [DataPath]
    public void End(ChecksumIo io, in BdevIoResult result)
    {
        if (_active == io) _active = io.Next;
        else
        {
            var before = _active!;
            while (before.Next != io) before = before.Next!;
            before.Next = io.Next;
        }
        io.Next = null;
        io.Finish(in result);
        Release();
    }

    /// <summary>Those whose blocks are free now begin, in the order they came.</summary>
    [DataPath]
    private void Release()
    {
        _releaseAgain = true;
        if (_releasing) return;
        _releasing = true;
        while (_releaseAgain)
        {
            _releaseAgain = false;
            ChecksumIo? before = null;
            for (var io = _firstWaiting; io is not null && !_releaseAgain;)
            {
                var next = io.Next;
                if (IsBlocked(io, io)) before = io;
                else
                {
                    if (before is null) _firstWaiting = next;
                    else before.Next = next;
                    if (next is null) _lastWaiting = before;
                    Begin(io);
                }
                io = next;
            }
        }
        _releasing = false;
    }

    /// <summary>Makes everything durable that has completed until now.</summary>
    [DataPath]
    public void Commit(ChecksumIo io) => _commit.Request(io);

    [DataPath]
    public void Report(ulong block, uint found) => _errors.Add(block, Table.Get(block), found);

    /// <summary>Commits, marks the disk as clean and gives everything back. On the app thread, when no I/O comes any more.</summary>
    /// <returns>0, or the negated error number for which checksums will be made anew when the disk comes up again.</returns>
    public async ValueTask<int> CloseAsync()
    {
        int error = 0;
        await Thread.InvokeAsync(async () =>
        {
            _intent.StopPolling();
            error = await _commit.RequestAsync();
            if (error == 0) error = await _intent.RequestAsync();
            Base.Put();
        });
        await Thread.ExitAsync();
        _memory.Dispose();
        return error;
    }
}
