using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Host.Environments;
using Spindle.Host.Modules;
using Spindle.Host.Rpc;
using Spindle.Io;
using Spindle.Memory;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Host.Hosting;

/// <summary>The parts of a host as its modules get them.</summary>
internal sealed class HostModuleServices(IHostEnvironment environment, IStorageThreads threads, IIobuf iobuf, BdevRegistry bdevs,
    RpcMethodRegistry methods, INotifications notifications, ILoggerFactory logging) : IModuleHostServices
{
    /// <summary>How long I/O of a module that goes may take before it is failed for it.</summary>
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(1);

    public IStorageThreads Threads => threads;
    public IIoPlatform Io => environment.Io;
    public IDmaMemory Memory => environment.Memory;
    public IIobuf Iobuf => iobuf;
    public INotifications Notifications => notifications;
    public ILoggerFactory Logging => logging;

    public IBdevRegistry BdevsOf(IModuleContext context) => bdevs.ForModule(context.ModuleName, () => context);

    public IRpcRegistrar RpcOf(string module) => methods.ForModule(module);

    public Task WithdrawRpcAsync(string module) => methods.WithdrawAsync(module);

    public void AddExaminer(BdevModule module) => bdevs.Examiner.Add(module);

    public void RemoveExaminer(BdevModule module) => bdevs.Examiner.Remove(module);

    public Task RemoveBdevsAsync(string module) => bdevs.RemoveAllOfAsync(module, s_grace);
}
