namespace Spindle.Blobs.Metadata;

/// <summary>One change of the metadata at a time, in the order in which they came. On the metadata thread.</summary>
internal sealed class MetadataLock
{
    private readonly Queue<TaskCompletionSource> _waiting = [];
    private bool _held;

    /// <summary>Waits for its turn; disposing the result ends it.</summary>
    public async Task<Turn> EnterAsync()
    {
        if (_held)
        {
            var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(turn);
            await turn.Task;
        }
        _held = true;
        return new Turn(this);
    }

    private void Leave()
    {
        // Stays held: it is handed on.
        if (_waiting.TryDequeue(out var next)) next.SetResult();
        else _held = false;
    }

    internal readonly struct Turn(MetadataLock owner) : IDisposable
    {
        public void Dispose() => owner.Leave();
    }
}
