using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NSubstitute;
using Spindle.Bdevs;
using Spindle.Host.Modules;
using Spindle.Io;
using Spindle.Memory;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.UnitTests.Modules;

/// <summary>What modules get in these tests: an app thread that runs things at once, and a list of RPC methods.</summary>
internal sealed class TestModuleServices : IModuleHostServices
{
    public TestModuleServices()
    {
        Threads.AppThread.Returns(new InlineThread());
    }

    public List<string> Events { get; } = [];
    public Dictionary<string, (string Module, RpcMethodHandler Handler)> Methods { get; } = [];

    public IStorageThreads Threads { get; } = Substitute.For<IStorageThreads>();
    public IIoPlatform Io { get; } = Substitute.For<IIoPlatform>();
    public IDmaMemory Memory { get; } = Substitute.For<IDmaMemory>();
    public IIobuf Iobuf { get; } = Substitute.For<IIobuf>();
    public INotifications Notifications { get; } = Substitute.For<INotifications>();
    public ILoggerFactory Logging { get; } = NullLoggerFactory.Instance;

    public IBdevRegistry BdevsOf(IModuleContext context) => Substitute.For<IBdevRegistry>();
    public IRpcRegistrar RpcOf(string module) => new Registrar(this, module);

    public Task WithdrawRpcAsync(string module)
    {
        Events.Add($"withdraw {module}");
        foreach (var name in Methods.Where(m => m.Value.Module == module).Select(m => m.Key).ToList()) Methods.Remove(name);
        return Task.CompletedTask;
    }

    public void AddExaminer(BdevModule module) => Events.Add($"examiner {module.Name}");
    public void RemoveExaminer(BdevModule module) => Events.Add($"no examiner {module.Name}");

    public Task RemoveBdevsAsync(string module)
    {
        Events.Add($"remove bdevs {module}");
        return Task.CompletedTask;
    }

    private sealed class Registrar(TestModuleServices owner, string module) : IRpcRegistrar
    {
        public void Register(RpcMethodHandler handler)
        {
            if (!owner.Methods.TryAdd(handler.Name, (module, handler))) throw new SpindleException(Errno.EEXIST, $"{handler.Name} is taken");
        }
    }

    // Written out, not substituted: a substitute remembers the arguments of its calls, and with them the plugin.
    private sealed class InlineThread : IStorageThread
    {
        public ulong Id => 1;
        public string Name => "app_thread";
        public int Core => 0;
        public bool IsCurrent => true;
        public bool IsExited => false;
        public IIoRing Ring => throw new NotSupportedException();
        public long Now => 0;
        public SynchronizationContext SynchronizationContext => throw new NotSupportedException();
        public Task ExitAsync() => Task.CompletedTask;
        public Task InvokeAsync(Func<Task> function) => function();
        public IPoller RegisterPoller(string name, PollerFunction function, object? state, TimeSpan period, PollerWake wake) => throw new NotSupportedException();

        public bool Send(StorageMessage message, object? state)
        {
            message(state);
            return true;
        }
    }
}
