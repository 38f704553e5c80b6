using Newtonsoft.Json.Linq;
using Spindle.Host.Hosting;
using Spindle.Host.Manifests;
using Spindle.PluginTests.Support;

namespace Spindle.PluginTests.Documentation;

/// <summary>What all built modules and the host declare, as <c>rpc_get_schema</c> tells it.</summary>
public sealed class RpcDeclarations : IAsyncLifetime
{
    /// <summary>The reply.</summary>
    public JObject Schema { get; private set; } = null!;

    /// <summary>The methods, by name.</summary>
    public IReadOnlyList<JObject> Methods { get; private set; } = [];

    /// <summary>The working tree.</summary>
    public static string Root { get; } = Path.GetDirectoryName(Path.GetDirectoryName(ModulesOnDisk.Built))!;

    public async ValueTask InitializeAsync()
    {
        await using var host = await SpindleHost.StartAsync(new SpindleHostOptions
        {
            ModuleFolders = [ModulesOnDisk.Built],
            Modules = [.. Directory.GetDirectories(ModulesOnDisk.Built).Select(folder => new AppModule(Path.GetFileName(folder))).OrderBy(module => module.Name, StringComparer.Ordinal)],
        });
        Schema = JObject.Parse(await host.CallAsync("rpc_get_schema"));
        Methods = [.. Schema["methods"]!.Cast<JObject>()];
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
