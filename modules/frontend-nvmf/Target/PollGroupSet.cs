using Microsoft.Extensions.Logging;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Threading;

namespace Spindle.Frontend.Nvmf.Target;

/// <summary>The poll groups, one for each core that serves, and the connections on them. On the app thread, except <see cref="Assign"/>.</summary>
internal sealed class PollGroupSet(IStorageThreads threads, ILogger log)
{
    private static readonly StorageMessage s_add = static state =>
    {
        NvmfQueuePair queuePair = (NvmfQueuePair)state!;
        queuePair.Group.Add(queuePair);
    };

    private NvmfPollGroup[] _groups = [];
    private int _next;
    private int _connections;
    private TaskCompletionSource? _noConnections;

    /// <summary>The groups. On any thread.</summary>
    public IReadOnlyList<NvmfPollGroup> All => _groups;

    /// <summary>Makes a group on each core.</summary>
    public void Start(IReadOnlyList<int> cores)
    {
        _groups = [.. cores.Select((core, index) =>
        {
            string name = $"nvmf_tgt_poll_group_{index:000}";
            return new NvmfPollGroup(name, threads.CreateThread(name, core), OnRemoved, log);
        })];
    }

    /// <summary>Runs something on each group's thread, one after another.</summary>
    public async Task ForEachAsync(Action<NvmfPollGroup> action)
    {
        foreach (NvmfPollGroup group in _groups)
        {
            await group.Thread.InvokeAsync(() =>
            {
                action(group);
                return Task.CompletedTask;
            });
        }
    }

    /// <summary>Gives each group its part of a transport.</summary>
    public Task AddTransportAsync(NvmfTransport transport) => ForEachAsync(group => group.AddTransport(transport));

    /// <summary>Gives a new connection to the group with the fewest, in turn where several have as few. On any thread.</summary>
    public void Assign(NvmfQueuePair queuePair)
    {
        NvmfPollGroup[] groups = _groups;
        int start = (int)((uint)Interlocked.Increment(ref _next) % (uint)groups.Length);
        NvmfPollGroup best = groups[start];
        for (int i = 1; i < groups.Length; i++)
        {
            NvmfPollGroup candidate = groups[(start + i) % groups.Length];
            if (Volatile.Read(ref candidate.Load) < Volatile.Read(ref best.Load)) best = candidate;
        }
        Interlocked.Increment(ref best.Load);
        Interlocked.Increment(ref _connections);
        queuePair.Group = best;
        best.Thread.Send(s_add, queuePair);
    }

    /// <summary>Disconnects everyone and returns when all connections are closed, or when cancelled with a warning.</summary>
    /// <returns>False when cancelled.</returns>
    public async Task<bool> DisconnectAllAsync(string reason, CancellationToken cancellationToken)
    {
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _noConnections = done;
        await ForEachAsync(group =>
        {
            group.Closing = true;
            foreach (NvmfQueuePair queuePair in group.QueuePairs.ToArray()) queuePair.Disconnect(reason);
        });
        if (Volatile.Read(ref _connections) == 0) return true;
        try
        {
            await done.Task.WaitAsync(cancellationToken);
            return true;
        }
        catch (OperationCanceledException)
        {
            log.LogWarning("{Count} connections did not close in time", Volatile.Read(ref _connections));
            return false;
        }
    }

    /// <summary>Ends the groups and their threads.</summary>
    public async Task StopAsync()
    {
        await ForEachAsync(static group => group.DisposeTransports());
        foreach (NvmfPollGroup group in _groups) await group.Thread.ExitAsync();
        _groups = [];
    }

    private void OnRemoved(NvmfPollGroup group, NvmfQueuePair queuePair)
    {
        Interlocked.Decrement(ref group.Load);
        if (Interlocked.Decrement(ref _connections) == 0) _noConnections?.TrySetResult();
    }
}
