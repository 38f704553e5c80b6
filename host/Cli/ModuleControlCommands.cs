using System.CommandLine;
using System.Text.Json.Nodes;
using Spindle.Host.Modules.Trust;
using Spindle.Host.Rpc.Client;
using Spindle.Rpc;

namespace Spindle.Cli;

/// <summary><c>spindle module load|unload|upgrade|status</c>, which ask a running host over its control socket, and <c>keygen|sign</c>, for vendors.</summary>
internal static class ModuleControlCommands
{
    private static readonly Option<string> s_socket = new("--rpc-socket", "-s") { Description = "The control socket.", DefaultValueFactory = _ => "/var/tmp/spdk.sock" };

    public static IEnumerable<Command> Create() => [Load(), Unload(), Upgrade(), Status(), KeyGen(), Sign()];

    private static Command Load()
    {
        var name = new Argument<string>("NAME") { Description = "The module's name." };
        var version = new Option<string?>("--version") { Description = "A version (1.2.3) or a range ([1.0, 2.0))." };
        var settings = new Option<string?>("--settings") { Description = "Its settings, a JSON object." };
        var command = new Command("load", "Loads and starts a module in a running host.") { name, version, settings, s_socket };
        command.SetAction((parsed, token) => CallAsync(parsed.GetValue(s_socket)!, "module_load",
            Members(("name", parsed.GetValue(name)), ("version", parsed.GetValue(version)), ("settings", parsed.GetValue(settings))), token));
        return command;
    }

    private static Command Unload()
    {
        var name = new Argument<string>("NAME") { Description = "The module's name." };
        var force = new Option<bool>("--force") { Description = "Also while it is in use: its bdevs are removed under those who have them open." };
        var command = new Command("unload", "Stops a module of a running host and unloads its code.") { name, force, s_socket };
        command.SetAction((parsed, token) => CallAsync(parsed.GetValue(s_socket)!, "module_unload", Members(("name", parsed.GetValue(name)), ("force", parsed.GetValue(force))), token));
        return command;
    }

    private static Command Upgrade()
    {
        var name = new Argument<string>("NAME") { Description = "The module's name." };
        var version = new Option<string?>("--version") { Description = "A version (1.2.3) or a range ([1.0, 2.0)); the highest when absent." };
        var force = new Option<bool>("--force") { Description = "When it cannot hand over: stop it and start the other version. Hosts notice." };
        var command = new Command("upgrade", "Puts another version of a module in its place in a running host, under live I/O.") { name, version, force, s_socket };
        command.SetAction((parsed, token) => CallAsync(parsed.GetValue(s_socket)!, "module_upgrade",
            Members(("name", parsed.GetValue(name)), ("version", parsed.GetValue(version)), ("force", parsed.GetValue(force))), token));
        return command;
    }

    private static Command Status()
    {
        var command = new Command("status", "What is wrong in a running host: modules, reactors, I/O, memory.") { s_socket };
        command.SetAction((parsed, token) => CallAsync(parsed.GetValue(s_socket)!, "spindle_get_health", null, token));
        return command;
    }

    private static Command KeyGen()
    {
        var path = new Argument<string>("NAME") { Description = "Where the keys go: NAME.key, which is secret, and NAME.pub, for app.json's \"trust\"." };
        var command = new Command("keygen", "Makes a key pair to sign modules with.") { path };
        command.SetAction(parsed => Say(() => $"{parsed.GetValue(path)}.key and {parsed.GetValue(path)}.pub: key {ModuleSignature.Generate(parsed.GetValue(path)!)}"));
        return command;
    }

    private static Command Sign()
    {
        var folder = new Argument<string>("FOLDER") { Description = "The folder of a module's version, with its module.json." };
        var key = new Option<string>("--key") { Description = "The private key.", HelpName = "FILE", Required = true };
        var command = new Command("sign", "Signs all files of a module: writes module.sig.") { folder, key };
        command.SetAction(parsed => Say(() => $"{Path.Combine(parsed.GetValue(folder)!, ModuleSignature.FileName)}: signed by key {ModuleSignature.Sign(parsed.GetValue(folder)!, parsed.GetValue(key)!)}"));
        return command;
    }

    private static string Members(params ReadOnlySpan<(string Name, object? Value)> members)
    {
        var json = new JsonObject();
        foreach (var (name, value) in members)
            if (value is string text) json[name] = text;
            else if (value is true) json[name] = true;
        return json.ToJsonString();
    }

    private static int Say(Func<string> action)
    {
        try
        {
            Console.Out.WriteLine(action());
            return ExitCode.Success;
        }
        catch (Exception e) when (e is SpindleException or IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"spindle module: {e.Message}");
            return ExitCode.Failure;
        }
    }

    private static async Task<int> CallAsync(string socket, string method, string? parameters, CancellationToken cancellationToken)
    {
        try
        {
            await using var client = await RpcClient.ConnectAsync(socket, cancellationToken);
            var reply = JsonNode.Parse(await client.CallAsync(method, parameters, cancellationToken))!;
            Console.Out.WriteLine(reply.ToJsonString(new System.Text.Json.JsonSerializerOptions
            {
                WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            }));
            return ExitCode.Success;
        }
        catch (Exception e) when (e is RpcException or SpindleException)
        {
            Console.Error.WriteLine($"spindle module: {e.Message}");
            return ExitCode.Failure;
        }
    }
}
