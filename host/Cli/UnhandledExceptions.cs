using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.Loader;

namespace Spindle.Cli;

/// <summary>Keeps the process alive when a plugin throws where nobody catches: in async void, on a thread of its own, on the thread pool.</summary>
internal static class UnhandledExceptions
{
    /// <summary>Told of each exception that was kept from ending the process: its text, and the load context's name of the code that threw; null when that is not known.</summary>
    public static Action<string, string?>? Contained { get; set; }

    /// <summary>From now on.</summary>
    public static void Contain() => ExceptionHandling.SetUnhandledExceptionHandler(static exception =>
    {
        // The host's own mistakes end it, loudly: its state is then unknown.
        if (PluginOf(exception) is not { } plugin) return false;
        var text = exception.ToString();
        if (Contained is { } contained) contained(text, plugin);
        else Console.Error.WriteLine($"spindle: unhandled exception in module {plugin}: {text}");
        return true;
    });

    /// <summary>The load context of the first frame that is a plugin's.</summary>
    private static string? PluginOf(Exception exception)
    {
        foreach (var frame in new StackTrace(exception).GetFrames())
            if (frame.GetMethod()?.DeclaringType?.Assembly is { } assembly
                && AssemblyLoadContext.GetLoadContext(assembly) is { } context && context != AssemblyLoadContext.Default)
                return context.Name;
        return null;
    }
}
