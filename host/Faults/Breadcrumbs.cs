using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Spindle.Host.Modules;

namespace Spindle.Host.Faults;

/// <summary>What a breadcrumb means.</summary>
/// <param name="Module">Name and version of the module whose code runs; empty for the host's.</param>
/// <param name="What">"poller 'x'", "submit to bdev 'y'" …</param>
internal sealed record Crumb(string Module, string What)
{
    public override string ToString() => Module.Length > 0 ? $"{What} of module {Module}" : What;
}

/// <summary>The meanings of the numbers that reactors leave as breadcrumbs. Texts only: nothing here keeps a plugin's code.</summary>
internal static class Breadcrumbs
{
    private static readonly Lock s_lock = new();
    private static readonly Dictionary<Crumb, (int Id, int Uses)> s_ids = [];
    private static readonly Stack<int> s_free = new();
    private static Crumb?[] s_crumbs = new Crumb?[64];
    private static int s_next = 1; // 0: between two pieces of work

    /// <summary>A number for a meaning; give it back by <see cref="Release"/> when it is used no more.</summary>
    public static int Acquire(string module, string what)
    {
        var crumb = new Crumb(module, what);
        lock (s_lock)
        {
            var (id, uses) = s_ids.GetValueOrDefault(crumb);
            if (uses == 0)
            {
                id = s_free.Count > 0 ? s_free.Pop() : s_next++;
                if (id >= s_crumbs.Length) Array.Resize(ref s_crumbs, s_crumbs.Length * 2);
                Volatile.Write(ref s_crumbs[id], crumb);
            }
            s_ids[crumb] = (id, uses + 1);
            return id;
        }
    }

    /// <summary>Gives a number back.</summary>
    public static void Release(int id)
    {
        lock (s_lock)
        {
            if ((uint)id >= (uint)s_crumbs.Length || s_crumbs[id] is not { } crumb) return;
            var uses = s_ids[crumb].Uses - 1;
            if (uses > 0)
            {
                s_ids[crumb] = (id, uses);
                return;
            }
            s_ids.Remove(crumb);
            s_crumbs[id] = null;
            s_free.Push(id);
        }
    }

    /// <summary>What a number means; null for none.</summary>
    public static Crumb? Find(int id)
    {
        var crumbs = Volatile.Read(ref s_crumbs);
        return id > 0 && id < crumbs.Length ? Volatile.Read(ref crumbs[id]) : null;
    }

    private static readonly ConcurrentDictionary<string, int> s_operations = [];

    /// <summary>The number for completions of a type of ring operation; never given back: there are few types.</summary>
    public static int OfOperation(Type type)
    {
        var module = ModuleLoadContext.IdentityOf(type.Assembly) ?? "";
        return s_operations.GetOrAdd($"{module}/{type.FullName}", static (_, p) => Acquire(p.module, $"the completion of {p.Name}"), (module, type.Name));
    }

    /// <summary>The number for messages of a module; never given back.</summary>
    public static int OfMessages(string module) => s_operations.GetOrAdd(module, static m => Acquire(m, "messages"));
}

/// <summary>Where a reactor says what it is doing, for the watchdog: one store before each piece of a module's work. In native memory, so that the store
/// has no write barrier.</summary>
internal sealed unsafe class BreadcrumbLine : IDisposable
{
    private const int Size = 128; // two cache lines, so that the neighbour is nobody's

    private int* _line = (int*)NativeMemory.AlignedAlloc(Size, Size);

    public BreadcrumbLine() => NativeMemory.Clear(_line, Size);

    /// <summary>The place: [0] the number of what runs, [1] other than 0 while allocations are measured.</summary>
    public int* At => _line;

    public int Now => _line is null ? 0 : Volatile.Read(ref _line[0]);

    public bool IsMeasuring
    {
        get => _line is not null && Volatile.Read(ref _line[1]) != 0;
        set
        {
            if (_line is not null) Volatile.Write(ref _line[1], value ? 1 : 0);
        }
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_line);
        _line = null;
    }
}

/// <summary>Charges what a reactor allocates to the breadcrumbs, while that is asked for. On the reactor's thread; the sums may be read by others.</summary>
internal sealed class AllocationMeter
{
    private long _last;
    private int _current;
    private long[] _bytes = new long[64];

    /// <summary>Another piece of work begins or goes on.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Switch(int id)
    {
        long now = GC.GetAllocatedBytesForCurrentThread();
        if (_last != 0)
        {
            if (_current >= _bytes.Length) Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _current + 1));
            _bytes[_current] += now - _last;
        }
        _current = id;
        _last = GC.GetAllocatedBytesForCurrentThread();
    }

    /// <summary>The sums since the last call, by breadcrumb.</summary>
    public IReadOnlyList<(int Id, long Bytes)> Take()
    {
        var bytes = _bytes;
        var taken = new List<(int, long)>();
        for (int i = 0; i < bytes.Length; i++)
            if (Interlocked.Exchange(ref bytes[i], 0) is > 0 and var sum) taken.Add((i, sum));
        return taken;
    }

    /// <summary>What was allocated while nobody measured is nobody's.</summary>
    public void Restart() => _last = 0;
}

/// <summary>Tells whose code a delegate or an object is.</summary>
internal static class CodeOwner
{
    /// <summary>Name and version of the module; null for the host's and .NET's.</summary>
    public static string? Of(object? thing, int depth = 0)
    {
        if (thing is null || depth > 4) return null;
        if (thing is Delegate function)
            return ModuleLoadContext.IdentityOf(function.Method.Module.Assembly) ?? Of(function.Target, depth + 1);
        if (thing is ITuple tuple)
        {
            for (int i = 0; i < tuple.Length; i++)
                if (Of(tuple[i], depth + 1) is { } found) return found;
            return null;
        }
        return OfType(thing.GetType(), 0);
    }

    // A continuation is a box of .NET's, made for the state machine of the plugin's method.
    private static string? OfType(Type type, int depth)
    {
        if (depth > 6) return null;
        if (ModuleLoadContext.IdentityOf(type.Assembly) is { } module) return module;
        if (!type.IsGenericType) return null;
        foreach (var argument in type.GetGenericArguments())
            if (OfType(argument, depth + 1) is { } found) return found;
        return null;
    }

    /// <summary>The module whose code an exception came from: the first frame that is a module's.</summary>
    public static string? Of(Exception exception) => ContextOf(exception)?.Identity;

    /// <summary>The load context whose code an exception came from.</summary>
    public static ModuleLoadContext? ContextOf(Exception exception)
    {
        for (var at = exception; at is not null; at = at.InnerException)
            foreach (var frame in new System.Diagnostics.StackTrace(at).GetFrames())
                if (frame.GetMethod() is MethodBase method && System.Runtime.Loader.AssemblyLoadContext.GetLoadContext(method.Module.Assembly) is ModuleLoadContext module) return module;
        return null;
    }
}
