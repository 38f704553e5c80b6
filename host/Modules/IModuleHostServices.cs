using Microsoft.Extensions.Logging;
using Spindle.Bdevs;
using Spindle.Io;
using Spindle.Memory;
using Spindle.Modules;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Host.Modules;

/// <summary>What the host hands to its modules, and what it does for the module host around their lives. On the app thread.</summary>
public interface IModuleHostServices
{
    /// <summary>Reactors, storage threads, I/O devices.</summary>
    IStorageThreads Threads { get; }

    /// <summary>Files, sockets and events.</summary>
    IIoPlatform Io { get; }

    /// <summary>DMA memory.</summary>
    IDmaMemory Memory { get; }

    /// <summary>I/O buffers.</summary>
    IIobuf Iobuf { get; }

    /// <summary>Operators' events.</summary>
    INotifications Notifications { get; }

    /// <summary>The host's loggers.</summary>
    ILoggerFactory Logging { get; }

    /// <summary>The bdevs as one module sees them: what it registers and claims is its own.</summary>
    IBdevRegistry BdevsOf(IModuleContext context);

    /// <summary>A registrar that remembers whose methods they are.</summary>
    IRpcRegistrar RpcOf(string module);

    /// <summary>Withdraws a module's RPC methods; returns when no call of them is running.</summary>
    Task WithdrawRpcAsync(string module);

    /// <summary>Has the module asked about new bdevs from now on; those there are, too.</summary>
    void AddExaminer(BdevModule module);

    /// <summary>Undoes <see cref="AddExaminer"/>.</summary>
    void RemoveExaminer(BdevModule module);

    /// <summary>Unregisters all bdevs that a module made, the latest first; returns when they are gone.</summary>
    Task RemoveBdevsAsync(string module);
}
