using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;

namespace Spindle.Host.Modules;

/// <summary>Compiles a module's methods ahead of their first use, on a thread of its own: a collectible context has no precompiled code,
/// and a reactor must not spend milliseconds in the compiler when the first I/O comes.</summary>
internal sealed class MethodPreparation
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private volatile bool _cancelled;
    private int _prepared;

    private MethodPreparation() => Completed = null!;

    /// <summary>Ends when all is compiled, or soon after <see cref="Cancel"/>. Never fails.</summary>
    public Task Completed { get; private set; }

    /// <summary>Methods compiled so far.</summary>
    public int Count => Volatile.Read(ref _prepared);

    /// <summary>Starts compiling all assemblies that the context has loaded.</summary>
    public static MethodPreparation Start(AssemblyLoadContext context)
    {
        var preparation = new MethodPreparation();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        preparation.Completed = done.Task;
        var thread = new Thread(static state =>
        {
            var (self, context, done) = ((MethodPreparation, AssemblyLoadContext, TaskCompletionSource))state!;
            try
            {
                foreach (var assembly in context.Assemblies.ToArray()) self.Prepare(assembly);
            }
            finally
            {
                done.SetResult();
            }
        })
        {
            IsBackground = true, Name = "spindle-prepare", Priority = ThreadPriority.BelowNormal,
        };
        thread.Start((preparation, context, done));
        return preparation;
    }

    /// <summary>Has it end after the method it is at.</summary>
    public void Cancel() => _cancelled = true;

    private void Prepare(Assembly assembly)
    {
        Type?[] types;
        try
        {
            types = assembly.GetTypes();
        }
        catch (ReflectionTypeLoadException e)
        {
            types = e.Types; // The others are of use without those that do not load.
        }
        foreach (var type in types)
        {
            if (_cancelled) return;
            if (type is null || type.ContainsGenericParameters || type.IsInterface) continue;
            foreach (var method in type.GetMembers(All).OfType<MethodBase>())
            {
                if (_cancelled) return;
                // A static constructor is the plugin's to run.
                if (method.IsAbstract || method.ContainsGenericParameters || method is ConstructorInfo { IsStatic: true }) continue;
                try
                {
                    RuntimeHelpers.PrepareMethod(method.MethodHandle);
                    Interlocked.Increment(ref _prepared);
                }
                catch (Exception)
                {
                    // Not compilable before its use (a missing native entry point, say): that use reports it.
                }
            }
        }
    }
}
