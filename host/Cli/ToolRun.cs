using Spindle.Host.Hosting;
using Spindle.Host.Manifests;
using Spindle.Host.Modules;
using Spindle.Modules;

namespace Spindle.Cli;

/// <summary>Tool modules in a host of their own.</summary>
internal static class ToolRun
{
    /// <summary>The tool, and every bdev module there is: any of them may be asked for bdevs.</summary>
    /// <exception cref="SpindleException">There is no such module, or it is no tool.</exception>
    public static List<AppModule> ModulesFor(string tool, SpindleHostOptions options)
    {
        var catalogue = new ModuleCatalogue(options.ModuleFolders);
        if (!catalogue.Find(tool).Kinds.HasFlag(ModuleKinds.Tool))
            throw new SpindleException(Errno.EINVAL, $"Module {tool} is no tool; 'spindle module list' shows those of kind 'tool'.");
        return [.. catalogue.List().Where(entry => entry.Manifest?.Kinds.HasFlag(ModuleKinds.Bdev) == true && entry.Name != tool)
            .Select(entry => entry.Name).Distinct().Select(name => new AppModule(name)), new AppModule(tool)];
    }

    /// <summary>Runs it on the app thread of a host.</summary>
    /// <returns>Its exit code.</returns>
    public static async Task<int> RunAsync(SpindleHost host, string tool, IReadOnlyList<string> arguments, CancellationToken ending)
    {
        var module = host.Modules.Find(tool)!;
        // First use of code costs milliseconds; it would be measured.
        if (module.PreparationCompleted is { } prepared) await prepared;
        int exitCode = ExitCode.Failure;
        await host.InvokeAsync(async () =>
        {
            var instance = (ToolModule)module.Instance!;
            exitCode = await instance.RunAsync(module.ContextForTool, arguments, Console.Out, ending);
        });
        return exitCode;
    }

    /// <summary>An RPC call as a command line has it: METHOD or METHOD:JSON.</summary>
    public static (string Method, string? Json) ParseCall(string text)
    {
        int colon = text.IndexOf(':');
        return colon < 0 ? (text, null) : (text[..colon], text[(colon + 1)..]);
    }
}
