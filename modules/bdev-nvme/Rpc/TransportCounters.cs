using Spindle.Rpc;

namespace Spindle.Bdev.Nvme.Rpc;

/// <summary>What a thread's queues by one transport have done.</summary>
internal readonly record struct TransportCounters(string Transport, ulong SystemCompletions, ulong Completed, ulong Queued, ulong Submitted)
{
    public static TransportCounters operator +(TransportCounters left, TransportCounters right) => new(left.Transport, left.SystemCompletions + right.SystemCompletions,
        left.Completed + right.Completed, left.Queued + right.Queued, left.Submitted + right.Submitted);

    internal void Write(IRpcWriter writer)
    {
        writer.BeginObject();
        writer.Name("trname");
        writer.String(Transport);
        foreach (var (name, value) in new[]
        {
            ("polls", SystemCompletions), ("idle_polls", 0ul), ("socket_completions", SystemCompletions), ("nvme_completions", Completed), ("queued_requests", Queued),
            ("submitted_requests", Submitted),
        })
        {
            writer.Name(name);
            writer.Number(value);
        }
        writer.EndObject();
    }
}
