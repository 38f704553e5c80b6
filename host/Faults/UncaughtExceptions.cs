using System.Runtime.ExceptionServices;

namespace Spindle.Host.Faults;

/// <summary>Keeps the process alive when a plugin throws where nobody catches: in async void outside a storage thread, on a thread of its own, on the thread pool.</summary>
public static class UncaughtExceptions
{
    private static int s_contained;

    /// <summary>Told of each exception that was kept from ending the process: its text, and the module's name and version. On the thread that threw.</summary>
    public static event Action<string, string>? Contained;

    /// <summary>As <see cref="Contained"/>, with the very context: two hosts in one process may have the same module.</summary>
    internal static event Action<string, Modules.ModuleLoadContext>? ContainedFrom;

    /// <summary>From now on. The process has one such handler: an embedding program decides.</summary>
    /// <exception cref="InvalidOperationException">The program has set a handler of its own.</exception>
    public static void Contain()
    {
        if (Interlocked.Exchange(ref s_contained, 1) != 0) return;
        ExceptionHandling.SetUnhandledExceptionHandler(static exception =>
        {
            // The host's own mistakes end it, loudly: its state is then unknown.
            if (CodeOwner.ContextOf(exception) is not { } context) return false;
            var (text, module) = (exception.ToString(), context.Identity);
            ContainedFrom?.Invoke(text, context);
            if (Contained is { } told) told(text, module);
            else if (ContainedFrom is null) Console.Error.WriteLine($"spindle: unhandled exception in module {module}: {text}");
            return true;
        });
    }
}
