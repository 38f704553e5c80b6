using System.CommandLine;
using System.Text.Json;
using Spindle.Host.Hosting;
using Spindle.Host.Modules;

namespace Spindle.Cli;

/// <summary><c>spindle module list</c>: the modules there are, and which of them this host could load.</summary>
internal static class ModuleCommand
{
    private sealed record Row(string Name, string Version, string Kind, string Contract, string Folder, string State, string? Problem);

    public static Command Create()
    {
        var folders = new Option<string[]>("--modules")
        {
            Description = "A folder with modules, searched before the usual ones; repeatable.", HelpName = "DIR", DefaultValueFactory = _ => [],
        };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var list = new Command("list", "Lists the modules, checked against this host's contract; runs none of their code.") { folders, json };
        list.SetAction(parsed =>
        {
            var catalogue = new ModuleCatalogue([.. parsed.GetValue(folders)!, .. SpindleHostOptions.DefaultModuleFolders()]);
            var rows = catalogue.List().Select(Describe).ToList();
            if (parsed.GetValue(json)) PrintJson(rows);
            else if (rows.Count == 0) Console.Error.WriteLine($"spindle: no modules in {(catalogue.Folders.Count > 0 ? string.Join(", ", catalogue.Folders) : "any folder")}; build them, or name a folder by --modules.");
            else ServedTable.WriteTable(Console.Out, ["Name", "Version", "Kind", "Contract", "State", "Folder"],
                rows.Select(row => new[] { row.Name, row.Version, row.Kind, row.Contract, row.Problem is null ? row.State : $"{row.State}: {row.Problem}", row.Folder }));
            return ExitCode.Success;
        });
        return WithInstallation(new Command("module", "Modules: plugins that this host loads.") { list });
    }

    private static Command WithInstallation(Command module)
    {
        foreach (var command in InstallCommands.Create().Concat(ModuleControlCommands.Create())) module.Add(command);
        return module;
    }

    private static Row Describe(CatalogueEntry entry)
    {
        var problem = entry.Problem;
        if (entry.Manifest is { } manifest)
        {
            try
            {
                ContractCheck.Run(manifest);
            }
            catch (ModuleException e)
            {
                problem = e;
            }
        }
        return new Row(entry.Name, entry.Version, entry.Manifest?.Kinds.ToString().ToLowerInvariant() ?? "", entry.Manifest?.Contract.ToString() ?? "",
            entry.Folder, problem is null ? "ok" : problem.Code.ToString(), problem?.Message);
    }

    private static void PrintJson(List<Row> rows)
    {
        using var stream = Console.OpenStandardOutput();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartArray();
            foreach (var row in rows)
            {
                writer.WriteStartObject();
                writer.WriteString("name", row.Name);
                writer.WriteString("version", row.Version);
                writer.WriteString("kind", row.Kind);
                writer.WriteString("contract", row.Contract);
                writer.WriteString("folder", row.Folder);
                writer.WriteString("state", row.State);
                writer.WriteString("problem", row.Problem);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        }
        stream.WriteByte((byte)'\n');
    }
}
