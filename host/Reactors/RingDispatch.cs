using System.Runtime.CompilerServices;
using Spindle.Host.Faults;
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
        if (operation.HostCrumb == 0) operation.HostCrumb = Breadcrumbs.OfOperation(operation.GetType());
    }

    /// <summary>Ends an operation: runs its completion on its storage thread, which stays the calling one afterwards. An exception out of it is
    /// the module's fault, not the reactor's.</summary>
    [DataPath]
    public static void Complete(RingOperation operation, int result)
    {
        object? target = operation.HostState;
        operation.IsPending = false;
        operation.HostState = null;
        if (target is not StorageThreadCore thread)
        {
            operation.OnCompleted(result);
            return;
        }
        if (!ReferenceEquals(StorageThread.Current, thread)) thread.Enter();
        thread.Begin(operation.HostCrumb);
        try
        {
            operation.OnCompleted(result);
        }
        catch (Exception exception)
        {
            ReportFault(thread, operation, exception);
        }
        thread.Begin(0);
    }

    private static void ReportFault(StorageThreadCore thread, RingOperation operation, Exception exception) =>
        thread.ReportFault($"ring operation {operation.GetType().Name}", exception);
}
