using Spindle.Memory;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Features;
using Spindle.Nvme.Identify;
using Spindle.Nvme.Initiator.Queues;
using Spindle.Nvme.LogPages;

namespace Spindle.Nvme.Initiator.Admin;

/// <summary>The admin commands that a driver needs, awaited; on the admin queue's thread.</summary>
public static class AdminQueueCommands
{
    /// <summary>Identify (NVMe Base Specification 2.0, 5.17).</summary>
    /// <param name="queue">The admin queue.</param>
    /// <param name="cns">What.</param>
    /// <param name="nsid">Of which namespace, or after which one for lists.</param>
    /// <param name="data">4,096 bytes.</param>
    /// <param name="timeout">For the answer.</param>
    public static Task IdentifyAsync(this NvmeQueue queue, IdentifyCns cns, uint nsid, IoVec data, TimeSpan timeout)
    {
        var entry = new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.Identify, Nsid = nsid };
        entry.As<IdentifyCommand>().Cns = cns;
        return queue.DoAsync($"Identify {cns}{(nsid == 0 ? "" : $" of namespace {nsid}")}", entry, data.Slice(0, NvmeConstants.IdentifyDataSize), false, timeout);
    }

    /// <summary>Get Log Page (NVMe Base Specification 2.0, 5.16).</summary>
    /// <param name="queue">The admin queue.</param>
    /// <param name="page">Which.</param>
    /// <param name="nsid">Of which namespace; FFFFFFFFh: of the controller.</param>
    /// <param name="offset">Where in the page, a multiple of 4.</param>
    /// <param name="data">Where to; a multiple of 4 bytes.</param>
    /// <param name="timeout">For the answer.</param>
    /// <param name="retain">Keep the event that said to read it.</param>
    public static Task GetLogPageAsync(this NvmeQueue queue, LogPageIdentifier page, uint nsid, ulong offset, IoVec data, TimeSpan timeout, bool retain = false)
    {
        var entry = new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.GetLogPage, Nsid = nsid };
        ref var command = ref entry.As<GetLogPageCommand>();
        command.Lid = page;
        command.LengthInBytes = data.Length;
        command.Lpo = offset;
        command.RetainAsynchronousEvent = retain;
        return queue.DoAsync($"Reading log page {page}", entry, data, false, timeout);
    }

    /// <summary>Set Features, for one whose value is dword 11.</summary>
    /// <param name="queue">The admin queue.</param>
    /// <param name="feature">Which.</param>
    /// <param name="value">Its new value.</param>
    /// <param name="timeout">For the answer.</param>
    /// <returns>Dword 0 of the completion.</returns>
    public static async Task<uint> SetFeatureAsync(this NvmeQueue queue, FeatureIdentifier feature, uint value, TimeSpan timeout)
    {
        var entry = new SubmissionQueueEntry { Opcode = (byte)AdminOpcode.SetFeatures, Cdw10 = (byte)feature, Cdw11 = value };
        return (await queue.DoAsync($"Setting feature {feature}", entry, default, false, timeout)).Cdw0;
    }

    /// <summary>Asks for I/O queues.</summary>
    /// <param name="queue">The admin queue.</param>
    /// <param name="count">How many, 1 to 65,535.</param>
    /// <param name="timeout">For the answer.</param>
    /// <returns>How many there may be, at most as many as were asked for.</returns>
    public static async Task<int> SetQueueCountAsync(this NvmeQueue queue, int count, TimeSpan timeout)
    {
        ushort zeroBased = (ushort)(count - 1);
        var granted = new NumberOfQueues(await queue.SetFeatureAsync(FeatureIdentifier.NumberOfQueues, new NumberOfQueues(zeroBased, zeroBased).Raw, timeout));
        return Math.Min(count, Math.Min(granted.SubmissionQueues, granted.CompletionQueues) + 1);
    }
}
