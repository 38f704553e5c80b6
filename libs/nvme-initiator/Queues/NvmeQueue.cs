using Spindle.Nvme.Commands;
using Spindle.Threading;

namespace Spindle.Nvme.Initiator.Queues;

/// <summary>A submission and a completion queue of a controller, as one storage thread uses it; transports derive from it. Not a member may be
/// used on another thread. Nothing is allocated for a command, and no callback comes inside a submission.</summary>
/// <remarks>
/// <code>
/// made ─► TryTake ─► filled ─► Submit ─► Flush ─► Completed … ─► Fail or CloseAsync ─► outstanding commands end as Lost ─► Ended
/// </code>
/// </remarks>
public abstract class NvmeQueue
{
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private NvmeCommand[] _commands = [];
    private NvmeCommand? _free;

    private protected NvmeQueue(IStorageThread thread) => Thread = thread;

    /// <summary>How a command ends whose queue ended first: whether the controller has done it is not known (NVMe Base Specification 2.0, 4.2.3.3: Host Pathing Error).</summary>
    public static CompletionQueueEntry Lost { get; } = new() { Status = new StatusField(PathStatusCode.HostPathingError) };

    /// <summary>The thread whose queue it is.</summary>
    public IStorageThread Thread { get; }

    /// <summary>Commands that may be outstanding.</summary>
    public int Depth => _commands.Length;

    /// <summary>Commands taken and not ended.</summary>
    public int Outstanding { get; private set; }

    /// <summary>Its places, for those who look at what is outstanding.</summary>
    public IReadOnlyList<NvmeCommand> Commands => _commands;

    /// <summary>Why it failed; null while it works and after an orderly close.</summary>
    public string? Failure { get; private set; }

    /// <summary>It takes commands.</summary>
    public bool IsUsable { get; private set; } = true;

    /// <summary>Told once, at once, when the queue fails; commands end after it.</summary>
    public Action<NvmeQueue>? Failed { get; set; }

    /// <summary>Completes when the queue has ended: nothing is outstanding and no memory is used any more.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Commands submitted so far.</summary>
    public ulong SubmittedCount { get; private set; }

    /// <summary>Commands that the controller completed so far.</summary>
    public ulong CompletedCount { get; private set; }

    private protected void SetCommands(NvmeCommand[] commands)
    {
        _commands = commands;
        for (int i = commands.Length - 1; i >= 0; i--)
        {
            commands[i].NextFree = _free;
            _free = commands[i];
        }
    }

    /// <summary>Takes a place. Null when all are taken, or the queue does not work any more.</summary>
    [DataPath]
    public NvmeCommand? TryTake()
    {
        var command = _free;
        if (command is null || !IsUsable) return null;
        _free = command.NextFree;
        command.NextFree = null;
        Outstanding++;
        return command;
    }

    /// <summary>How many places are free; 0 when the queue does not work any more.</summary>
    public int FreeCount => IsUsable ? _commands.Length - Outstanding : 0;

    /// <summary>Gives back a place that was not submitted.</summary>
    [DataPath]
    public void GiveBack(NvmeCommand command)
    {
        command.NextFree = _free;
        _free = command;
        Outstanding--;
    }

    /// <summary>Queues a filled command; <see cref="Flush"/> sends what is queued. Commands submitted one after the other stand so in the submission queue.
    /// One that comes when the queue has failed ends as <see cref="Lost"/>.</summary>
    [DataPath]
    public void Submit(NvmeCommand command)
    {
        command.IsOutstanding = true;
        command.SubmittedAt = Thread.Now;
        SubmittedCount++;
        if (IsUsable) Enqueue(command);
        else Release(command, Lost);
    }

    /// <summary>Sends what is queued, all at once.</summary>
    public abstract void Flush();

    /// <summary>The identifier under which the controller knows an outstanding command.</summary>
    public abstract ushort IdentifierOf(NvmeCommand command);

    /// <summary>Gives up the queue, because of what its controller did or did not do.</summary>
    public void Fail(string reason)
    {
        if (!IsUsable) return;
        Failure = reason;
        IsUsable = false;
        Failed?.Invoke(this);
        Stop();
    }

    /// <summary>Ends the queue; what is outstanding ends as <see cref="Lost"/>.</summary>
    public Task CloseAsync()
    {
        if (IsUsable)
        {
            IsUsable = false;
            Stop();
        }
        return Ended;
    }

    private protected abstract void Enqueue(NvmeCommand command);

    /// <summary>Begins to end the queue. Once; <see cref="End"/> is called when nothing of the commands' memory is in use.</summary>
    private protected abstract void Stop();

    [DataPath]
    private protected void Complete(NvmeCommand command, in CompletionQueueEntry completion)
    {
        CompletedCount++;
        Release(command, completion);
    }

    [DataPath]
    private void Release(NvmeCommand command, in CompletionQueueEntry completion)
    {
        var completed = command.Completed;
        object? state = command.State;
        command.IsOutstanding = false;
        command.State = null;
        GiveBack(command);
        completed?.Invoke(state, completion);
    }

    /// <summary>Ends what is outstanding, and the queue.</summary>
    private protected void End()
    {
        if (Ended.IsCompleted) return;
        var lost = Lost;
        foreach (var command in _commands)
            if (command.IsOutstanding) Release(command, lost);
        _ended.TrySetResult();
    }
}
