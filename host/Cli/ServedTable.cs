using Spectre.Console;
using Spindle.Host.Hosting;
using Spindle.Host.Manifests;

namespace Spindle.Cli;

/// <summary>What a host serves, for whoever started it.</summary>
internal static class ServedTable
{
    public static async Task PrintAsync(SpindleHost host, AppManifest app, TextWriter output)
    {
        var served = await host.GetServedAsync();
        output.WriteLine($"{app.Name}: {host.Threads.Cores.Count} reactor{(host.Threads.Cores.Count == 1 ? "" : "s")} on core{(host.Threads.Cores.Count == 1 ? "" : "s")} "
            + $"{string.Join(", ", host.Threads.Cores)}, {host.Environment.Name} environment, {host.Bdevs.All.Count} bdev{(host.Bdevs.All.Count == 1 ? "" : "s")}");
        if (served.Count > 0) WriteTable(output, ["Protocol", "Address", "Name", "Backing"], served.Select(row => new[] { row.Protocol, row.Address, row.Name, row.Backing }));
        else output.WriteLine("Nothing is served yet; configure it by RPC.");
        if (host.RpcSocket is { } socket) output.WriteLine($"Control socket: {socket}");
        foreach (var hint in served.Select(row => row.ConnectHint).Where(hint => hint.Length > 0).Distinct()) output.WriteLine($"Connect: {hint}");
    }

    /// <summary>Writes a table that is not wrapped where the output is no terminal.</summary>
    public static void WriteTable(TextWriter output, string[] columns, IEnumerable<string[]> rows)
    {
        var table = new Table().Border(TableBorder.Rounded);
        foreach (var column in columns) table.AddColumn(new TableColumn(new Text(column)).NoWrap());
        foreach (var row in rows) table.AddRow(row.Select(cell => new Text(cell)).ToArray());
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output), Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect });
        if (Console.IsOutputRedirected) console.Profile.Width = 1000;
        console.Write(table);
    }
}
