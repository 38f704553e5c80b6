using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spindle.Host.Rpc.Client;
using Spindle.Rpc;

namespace Spindle.Cli;

/// <summary><c>spindle stack [BDEV]</c>: what sits on what in a running host, as a tree.</summary>
internal static class StackCommand
{
    public static Command Create()
    {
        var bdev = new Argument<string?>("BDEV") { Description = "Name, alias or UUID of a bdev: only the stacks that it is in.", Arity = ArgumentArity.ZeroOrOne };
        var socket = new Option<string>("--rpc-socket", "-s") { Description = "The control socket.", DefaultValueFactory = _ => "/var/tmp/spdk.sock" };
        var command = new Command("stack", "Shows the bdevs of a running host as trees: what sits on what, sizes, claims, who has each open.") { bdev, socket };
        command.SetAction((parsed, token) => RunAsync(parsed.GetValue(bdev), parsed.GetValue(socket)!, token));
        return command;
    }

    private static async Task<int> RunAsync(string? bdev, string socket, CancellationToken cancellationToken)
    {
        try
        {
            await using var client = await RpcClient.ConnectAsync(socket, cancellationToken);
            var parameters = bdev is null ? null : new JsonObject { ["name"] = bdev }.ToJsonString();
            using var reply = JsonDocument.Parse(await client.CallAsync("bdev_get_stack", parameters, cancellationToken), new JsonDocumentOptions { MaxDepth = 1000 });
            Console.Out.Write(Format(reply.RootElement));
            return ExitCode.Success;
        }
        catch (Exception e) when (e is RpcException or SpindleException)
        {
            Console.Error.WriteLine($"spindle stack: {e.Message}");
            return ExitCode.Failure;
        }
    }

    /// <summary>The reply of <c>bdev_get_stack</c> for people.</summary>
    internal static string Format(JsonElement reply)
    {
        var text = new StringBuilder();
        var asked = reply.TryGetProperty("name", out var name) ? name.GetString() : null;
        foreach (var stack in reply.GetProperty("stacks").EnumerateArray()) Append(text, stack, "", "", asked);
        return text.Length == 0 ? "There are no bdevs.\n" : text.ToString();
    }

    private static void Append(StringBuilder text, JsonElement node, string first, string rest, string? asked)
    {
        var name = node.GetProperty("name").GetString()!;
        var bases = node.GetProperty("bases").EnumerateArray().ToArray();
        text.Append(first).Append(name).Append(name == asked ? " *" : "");
        if (!node.GetProperty("present").GetBoolean())
        {
            text.Append("  is not there\n");
            return;
        }
        ulong size = node.GetProperty("block_size").GetUInt64(), count = node.GetProperty("num_blocks").GetUInt64();
        text.Append("  ").Append(node.GetProperty("product_name").GetString()).Append(", ").Append(Size(size, count))
            .Append(CultureInfo.InvariantCulture, $" ({count} × {size} B), module {node.GetProperty("module").GetString()}");
        if (node.TryGetProperty("claim_type", out var claim)) text.Append(", claimed ").Append(claim.GetString());
        text.Append('\n');
        var inner = rest + (bases.Length > 0 ? "│    " : "     ");
        foreach (var open in node.GetProperty("open_by").EnumerateArray())
        {
            text.Append(inner).Append("open by ").Append(open.GetProperty("module").GetString()).Append(open.GetProperty("write").GetBoolean() ? " for writing" : " for reading");
            if (open.GetProperty("claims").GetBoolean()) text.Append(", with the claim");
            if (open.TryGetProperty("purpose", out var purpose)) text.Append(": ").Append(purpose.GetString());
            text.Append('\n');
        }
        for (int i = 0; i < bases.Length; i++)
        {
            bool last = i == bases.Length - 1;
            Append(text, bases[i], rest + (last ? "└─ " : "├─ "), rest + (last ? "   " : "│  "), asked);
        }
    }

    private static string Size(ulong blockSize, ulong blocks)
    {
        double bytes = (double)blockSize * blocks;
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        int unit = 0;
        for (; bytes >= 1024 && unit < units.Length - 1; unit++) bytes /= 1024;
        return string.Create(CultureInfo.InvariantCulture, $"{bytes:0.##} {units[unit]}");
    }
}
