using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace Spindle.Host.Modules;

/// <summary>Compiles a module's methods ahead of their first use, on a thread of its own: a collectible context has no precompiled code,
/// and a reactor must not spend milliseconds in the compiler when the first I/O comes.</summary>
internal sealed class MethodPreparation
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Lock s_turn = new();
    private static readonly Lazy<Task> s_host = new(static () =>
    {
        // Precompiled code too has its types and callees looked up at its first run; in a build without precompiled code this compiles it.
        var preparation = new MethodPreparation();
        return preparation.StartThread(() =>
        {
            var types = TypesOf(typeof(MethodPreparation).Assembly).Where(HasDataPath).Concat(TypesOf(typeof(DataPathAttribute).Assembly).Where(IsOfAnIo)).ToList();
            foreach (var method in MethodsOf(types)) preparation.Prepare(method);
        });
    });

    private volatile bool _cancelled;
    private int _prepared;

    private MethodPreparation() => Completed = Task.CompletedTask;

    /// <summary>Ends when all is compiled, or soon after <see cref="Cancel"/>. Never fails.</summary>
    public Task Completed { get; private set; }

    /// <summary>Methods compiled so far.</summary>
    public int Count => Volatile.Read(ref _prepared);

    /// <summary>Prepares what an I/O passes of the host itself, once in a process. Ends when that is done; never fails.</summary>
    public static Task StartHost() => s_host.Value;

    /// <summary>Starts compiling all assemblies that the context has loaded.</summary>
    public static MethodPreparation Start(AssemblyLoadContext context)
    {
        var preparation = new MethodPreparation();
        preparation.Completed = preparation.StartThread(() => preparation.Prepare([.. context.Assemblies]));
        return preparation;
    }

    private Task StartThread(Action prepare)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(static state =>
        {
            var (prepare, done) = ((Action, TaskCompletionSource))state!;
            try
            {
                // One at a time: a start that is still answering its first RPCs keeps the other cores.
                lock (s_turn) prepare();
            }
            catch (Exception)
            {
                // What is not prepared is compiled when it is used.
            }
            finally
            {
                done.SetResult();
            }
        })
        {
            IsBackground = true, Name = "spindle-prepare", Priority = ThreadPriority.BelowNormal,
        }.Start((prepare, done));
        return done.Task;
    }

    /// <summary>Has it end after the method it is at.</summary>
    public void Cancel() => _cancelled = true;

    // What an I/O passes comes first; what configures comes last.
    private void Prepare(Assembly[] assemblies)
    {
        var types = assemblies.SelectMany(TypesOf).ToList();
        foreach (var type in types) Initialize(type);
        var methods = MethodsOf(types);
        foreach (var method in methods.Where(IsDataPath)) Prepare(method);
        foreach (var method in methods.Where(method => !IsDataPath(method))) Prepare(method);
    }

    private static List<MethodBase> MethodsOf(IEnumerable<Type> types) =>
        [.. types.Where(type => !type.IsInterface).SelectMany(type => type.GetMembers(All).OfType<MethodBase>()).Where(IsCompiled)];

    private static IEnumerable<Type> TypesOf(Assembly assembly)
    {
        try
        {
            return assembly.GetTypes().Where(type => !type.ContainsGenericParameters);
        }
        catch (ReflectionTypeLoadException e)
        {
            return e.Types.OfType<Type>().Where(type => !type.ContainsGenericParameters); // The others are of use without those that do not load.
        }
    }

    /// <summary>Sets the static fields of a type that leaves the time to the runtime, so that compiled code need not ask whether they are set.</summary>
    private void Initialize(Type type)
    {
        // A static constructor is the plugin's to run; initializers of fields may run at any time (ECMA-335, I.8.9.5).
        if (_cancelled || type.TypeInitializer is null || !type.Attributes.HasFlag(TypeAttributes.BeforeFieldInit)) return;
        try
        {
            RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        }
        catch (Exception)
        {
            // Its use reports it.
        }
    }

    private static bool IsCompiled(MethodBase method) =>
        !method.IsAbstract && !method.ContainsGenericParameters && method is not ConstructorInfo { IsStatic: true };

    private static bool IsDataPath(MethodBase method) =>
        method.IsDefined(typeof(DataPathAttribute), inherit: true) || method.DeclaringType!.IsDefined(typeof(DataPathAttribute), inherit: true);

    private static bool HasDataPath(Type type) =>
        type.IsDefined(typeof(DataPathAttribute), inherit: true) || type.GetMembers(All).Any(member => member.IsDefined(typeof(DataPathAttribute), inherit: true));

    private static bool IsOfAnIo(Type type) => type.Namespace is "Spindle.Bdevs" or "Spindle.Io" or "Spindle.Memory" or "Spindle.Threading";

    private void Prepare(MethodBase method)
    {
        if (_cancelled) return;
        try
        {
            if (method.Attributes.HasFlag(MethodAttributes.PinvokeImpl)) Marshal.Prelink((MethodInfo)method);
            else RuntimeHelpers.PrepareMethod(method.MethodHandle);
            Interlocked.Increment(ref _prepared);
        }
        catch (Exception)
        {
            // Not compilable before its use (a missing native entry point, say): that use reports it.
        }
    }
}
