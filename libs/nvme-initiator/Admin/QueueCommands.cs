using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Initiator.Queues;

namespace Spindle.Nvme.Initiator.Admin;

/// <summary>One command, awaited; control plane.</summary>
public static class QueueCommands
{
    private static readonly NvmeCompletion s_completed = static (object? state, in CompletionQueueEntry completion) =>
        ((TaskCompletionSource<CompletionQueueEntry>)state!).TrySetResult(completion);

    /// <summary>Does a command and returns how it ended, whatever its status. On the queue's thread.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="entry">The command.</param>
    /// <param name="data">Its data; must stay until the end. Empty: none.</param>
    /// <param name="toController">The data goes to the controller.</param>
    /// <param name="timeout">After this the queue is given up, since a command that does not end has its memory for ever.</param>
    /// <exception cref="SpindleException">EBUSY: the queue is full. ENOTCONN: it has ended. ETIMEDOUT: no answer came.</exception>
    public static async Task<CompletionQueueEntry> ExecuteAsync(this NvmeQueue queue, SubmissionQueueEntry entry, IoVec data, bool toController, TimeSpan timeout)
    {
        var command = queue.TryTake() ??
            throw (queue.IsUsable ? new SpindleException(Errno.EBUSY, "The queue is full.") : new SpindleException(Errno.ENOTCONN, queue.Failure ?? "The queue was closed."));
        var done = new TaskCompletionSource<CompletionQueueEntry>(TaskCreationOptions.RunContinuationsAsynchronously);
        command.Entry = entry;
        if (data.Length == 0) command.SetNoData();
        else command.SetData([data], toController);
        command.Completed = s_completed;
        command.State = done;
        queue.Submit(command);
        queue.Flush();
        bool timedOut = false;
        if (timeout == Timeout.InfiniteTimeSpan || await Task.WhenAny(done.Task, Task.Delay(timeout)) == done.Task)
        {
            await done.Task;
        }
        else
        {
            timedOut = true;
            queue.Fail($"command {entry.Opcode:x2}h was not answered in {timeout.TotalSeconds:0.###} s");
        }
        var completion = await done.Task;
        if (completion.Status == NvmeQueue.Lost.Status && !queue.IsUsable)
            throw new SpindleException(timedOut ? Errno.ETIMEDOUT : Errno.ENOTCONN, queue.Failure ?? "The queue was closed.");
        return completion;
    }

    /// <summary>As <see cref="ExecuteAsync"/>, for a command that has to succeed.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="what">What it does, for the message of a failure.</param>
    /// <param name="entry">The command.</param>
    /// <param name="data">Its data.</param>
    /// <param name="toController">The data goes to the controller.</param>
    /// <param name="timeout">As there.</param>
    /// <exception cref="NvmeStatusException">The controller refused it.</exception>
    public static async Task<CompletionQueueEntry> DoAsync(this NvmeQueue queue, string what, SubmissionQueueEntry entry, IoVec data, bool toController, TimeSpan timeout)
    {
        var completion = await queue.ExecuteAsync(entry, data, toController, timeout);
        return completion.Status.IsSuccess ? completion : throw new NvmeStatusException(what, completion);
    }
}

/// <summary>A controller refused a command.</summary>
public sealed class NvmeStatusException : SpindleException
{
    /// <param name="what">What the command was to do.</param>
    /// <param name="completion">What the controller said.</param>
    public NvmeStatusException(string what, CompletionQueueEntry completion)
        : base(Spindle.Errno.EIO, $"{what} failed: status {completion.Status}{(completion.Cdw0 != 0 ? $", result {completion.Cdw0:x8}h" : "")}.") => Completion = completion;

    /// <summary>What the controller said.</summary>
    public CompletionQueueEntry Completion { get; }
}
