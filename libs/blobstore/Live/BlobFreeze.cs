using Spindle.Blobs.Data;
using Spindle.Threading;

namespace Spindle.Blobs;

/// <summary>Holds back the I/O of blobs while their clusters change places. On the metadata thread, by who holds the metadata lock.</summary>
internal sealed class BlobFreeze
{
    private static readonly StorageMessage s_drain = static state => ((DrainRequest)state!).Run();
    private static readonly StorageMessage s_resume = static state => ((BlobChannel)state!).ResumeParked();

    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Blob[] _blobs;
    private int _remaining = 1;

    private BlobFreeze(Blob[] blobs) => _blobs = blobs;

    /// <summary>Holds back the I/O of a blob and of all that read through it; returns when none is under way.</summary>
    public static async Task<BlobFreeze> BeginAsync(Blob blob)
    {
        var freeze = new BlobFreeze([.. blob.Store.Blobs.Where(other => other.DescendsFrom(blob))]);
        foreach (var frozen in freeze._blobs) Interlocked.Increment(ref frozen.Frozen);
        foreach (var channel in freeze._blobs.SelectMany(frozen => frozen.Channels()))
        {
            Interlocked.Increment(ref freeze._remaining);
            if (!channel.Owner.Send(s_drain, new DrainRequest(freeze, channel))) freeze.Drained();
        }
        freeze.Drained();
        await freeze._drained.Task;
        return freeze;
    }

    /// <summary>Has all channels let go of the device outside of the store.</summary>
    public Task ForgetExternalAsync() => Task.WhenAll(_blobs.SelectMany(blob => blob.Channels()).Select(channel => channel.Owner.IsExited ? Task.CompletedTask : channel.Owner.InvokeAsync(() =>
    {
        channel.ForgetExternal();
        return Task.CompletedTask;
    })));

    /// <summary>Lets it go on.</summary>
    public void End()
    {
        foreach (var blob in _blobs)
        {
            Interlocked.Decrement(ref blob.Frozen);
            foreach (var channel in blob.Channels()) channel.Owner.Send(s_resume, channel);
        }
    }

    /// <summary>A channel has nothing under way. On its thread.</summary>
    internal void Drained()
    {
        if (Interlocked.Decrement(ref _remaining) == 0) _drained.SetResult();
    }

    private sealed class DrainRequest(BlobFreeze freeze, BlobChannel channel)
    {
        public void Run() => channel.Drain(freeze);
    }
}
