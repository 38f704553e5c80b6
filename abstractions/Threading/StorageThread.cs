namespace Spindle.Threading;

/// <summary>The calling storage thread.</summary>
public static class StorageThread
{
    [ThreadStatic] private static IStorageThread? t_current;

    /// <summary>The storage thread the caller runs on, or null on any other thread (the thread pool, a plugin's own).</summary>
    public static IStorageThread? Current
    {
        get => t_current;
        internal set => t_current = value;
    }

    /// <summary>The storage thread the caller runs on.</summary>
    /// <exception cref="InvalidOperationException">The caller is not on a storage thread.</exception>
    public static IStorageThread Required => t_current
        ?? throw new InvalidOperationException("This must be called on a storage thread; send it a message instead (IStorageThread.Send or InvokeAsync).");
}
