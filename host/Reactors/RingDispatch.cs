using System.Runtime.CompilerServices;
using Spindle.Io;
using Spindle.Threading;

namespace Spindle.Host.Reactors;

/// <summary>What every ring implementation calls around an operation, so that its completion runs on the storage thread that submitted it.</summary>
public static class RingDispatch
{
    /// <summary>Marks an operation as queued. Call it when a submission has been accepted.</summary>
    [DataPath, MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Begin(RingOperation operation)
    {
        operation.IsPending = true;
        operation.HostState = StorageThread.Current;
    }

    /// <summary>Ends an operation: runs its completion on its storage thread. An exception out of it is the module's fault, not the reactor's.</summary>
    [DataPath]
    public static void Complete(RingOperation operation, int result)
    {
        var previous = StorageThread.Current;
        StorageThread.Current = operation.HostState as IStorageThread;
        operation.IsPending = false;
        operation.HostState = null;
        try
        {
            operation.OnCompleted(result);
        }
        catch (Exception exception)
        {
            Fault?.Invoke(operation, exception);
        }
        StorageThread.Current = previous;
    }

    /// <summary>Told of exceptions out of completions.</summary>
    internal static Action<RingOperation, Exception>? Fault { get; set; }
}
