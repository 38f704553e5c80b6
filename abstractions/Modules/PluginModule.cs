using Microsoft.Extensions.DependencyInjection;
using Spindle.Bdevs;
using Spindle.Rpc;

namespace Spindle.Modules;

/// <summary>What every plugin derives its entry class from, through <see cref="BdevModule"/>, <see cref="FrontEnd"/> or <see cref="ToolModule"/>.
/// The host makes it by its parameterless constructor and calls everything on the app thread.</summary>
public abstract class PluginModule
{
    /// <summary>The module's name as in its module.json.</summary>
    public abstract string Name { get; }

    /// <summary>Adds the module's own services; those of the host (<see cref="IModuleContext"/>, <see cref="IBdevRegistry"/>,
    /// loggers, threads …) are there already. RPC classes are made from this provider.</summary>
    public virtual void ConfigureServices(IServiceCollection services) { }

    /// <summary>Ends the module: its bdevs are gone, its RPCs withdrawn. Releases what is left.</summary>
    public virtual Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Writes the RPC calls that restore the module's options and objects; bdevs write theirs by <see cref="Bdev.WriteConfig"/>.</summary>
    public virtual void WriteConfig(IConfigWriter writer) { }

    /// <summary>The subsystem under which the configuration is saved, a name of SPDK's where there is one: "bdev", "nvmf", "iscsi" …</summary>
    public virtual string Subsystem => "bdev";

    /// <summary>How the module hands its work to another version of itself under live I/O; null when it cannot. Asked for once, after the module was made.</summary>
    public virtual ModuleUpgrade? Upgrade => null;
}

/// <summary>A plugin that makes bdevs.</summary>
public abstract class BdevModule : PluginModule
{
    /// <summary>Starts the module.</summary>
    public virtual Task InitializeAsync(IModuleContext context, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Looks at a new bdev without I/O: is it one this module was configured to use? Claims it or leaves it.</summary>
    public virtual void ExamineConfig(Bdev bdev) { }

    /// <summary>True when <see cref="ExamineDiskAsync"/> is to be called.</summary>
    public virtual bool ExaminesDisks => false;

    /// <summary>Looks at a new, unclaimed bdev by reading it.</summary>
    public virtual Task ExamineDiskAsync(Bdev bdev, CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>A plugin that serves bdevs over a protocol.</summary>
public abstract class FrontEnd : PluginModule
{
    /// <summary>Starts it: its RPCs work after this; what it serves is told by them.</summary>
    public abstract Task StartAsync(IModuleContext context, CancellationToken cancellationToken);

    /// <summary>What it serves now, for the table that <c>spindle run</c> prints; one row for each address.</summary>
    public virtual IReadOnlyList<ServedEndpoint> Served => [];

    /// <summary>Connections from hosts that it serves now, for the status line of <c>spindle run</c>.</summary>
    public virtual int ConnectionCount => 0;
}

/// <summary>One address at which something is served.</summary>
/// <param name="Protocol">"NVMe/TCP" for example.</param>
/// <param name="Address">Host and port, or path.</param>
/// <param name="Name">The subsystem, target or controller.</param>
/// <param name="Backing">What is behind it: bdevs and sizes.</param>
/// <param name="ConnectHint">The exact command that connects a Linux host; empty when there is none.</param>
public sealed record ServedEndpoint(string Protocol, string Address, string Name, string Backing, string ConnectHint);

/// <summary>A plugin that is a tool: a load generator, an initiator. The command line runs it inside a host of its own.</summary>
public abstract class ToolModule : PluginModule
{
    /// <summary>Runs it on the app thread.</summary>
    /// <param name="context">The module's door to the host.</param>
    /// <param name="arguments">What followed the tool's name on the command line.</param>
    /// <param name="output">Where people's text goes.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <returns>The exit code.</returns>
    public abstract Task<int> RunAsync(IModuleContext context, IReadOnlyList<string> arguments, TextWriter output, CancellationToken cancellationToken);

    /// <inheritdoc/>
    public override string Subsystem => "tool";
}
