using System.CommandLine;
using System.CommandLine.Help;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Spindle.Host.Rpc.Client;
using Spindle.Rpc;

namespace Spindle.Cli;

/// <summary><c>spindle rpc METHOD [JSON | name=value …]</c>: one call over the control socket, the result as JSON on standard output.</summary>
internal static class RpcCommand
{
    const int Failed = 1;
    const int WrongUse = 2;
    const int NoConnection = 3;

    static readonly Argument<string> s_method = new("METHOD") { Description = "The RPC method; rpc_get_methods lists them, 'spindle rpc METHOD --help' tells what one takes." };
    static readonly Option<string> s_socket = new("--rpc-socket", "-s") { Description = "The control socket.", DefaultValueFactory = _ => "/var/tmp/spdk.sock" };

    /// <summary>Documents the method that a command line asks for help about, from the host that has it; null: it asks for none.</summary>
    public static Task<int>? HelpAsync(ParseResult parsed) => parsed.Action is HelpAction && parsed.CommandResult.Command.Arguments.Contains(s_method)
        && parsed.GetResult(s_method)?.Tokens is [{ Value: var method }] ? RpcHelp.RunAsync(method, parsed.GetValue(s_socket)!, CancellationToken.None) : null;

    public static Command Create()
    {
        var parameters = new Argument<string[]>("PARAMETERS")
        {
            Description = "One JSON object, or name=value pairs (a value that is JSON is taken as JSON, any other as a string), or - to read the object from standard input.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var timeout = new Option<double>("--timeout", "-t") { Description = "Seconds to wait for the reply.", DefaultValueFactory = _ => 60 };
        var command = new Command("rpc", "Calls an RPC method of a running Spindle (or SPDK) over its control socket. "
            + "Exit codes: 0 done, 1 the call failed, 2 wrong use, 3 no connection.")
        {
            s_method, parameters, s_socket, timeout,
        };
        RpcCompletions.Add(s_method, parameters, s_socket);
        command.SetAction((result, cancellationToken) =>
            RunAsync(result.GetValue(s_method)!, result.GetValue(parameters) ?? [], result.GetValue(s_socket)!, result.GetValue(timeout), cancellationToken));
        return command;
    }

    static async Task<int> RunAsync(string method, string[] arguments, string socket, double timeout, CancellationToken cancellationToken)
    {
        string? parameters;
        try
        {
            parameters = arguments is ["-"] ? RpcArguments.Parse([await Console.In.ReadToEndAsync(cancellationToken)]) : RpcArguments.Parse(arguments);
        }
        catch (FormatException exception)
        {
            return Say(WrongUse, exception.Message);
        }
        if (!double.IsFinite(timeout) || timeout is <= 0 or > int.MaxValue / 1000)
        {
            return Say(WrongUse, "--timeout must be a number of seconds above 0.");
        }
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(timeout));
        try
        {
            await using var client = await RpcClient.ConnectAsync(socket, limit.Token);
            Console.Out.WriteLine(Indented(await client.CallAsync(method, parameters, limit.Token)));
            return 0;
        }
        catch (RpcException exception)
        {
            return Say(Failed, $"{method} failed: {exception.Message} (code {exception.Code})");
        }
        catch (SpindleException exception)
        {
            return Say(NoConnection, exception.Message);
        }
        catch (OperationCanceledException)
        {
            return Say(Failed, cancellationToken.IsCancellationRequested ? "cancelled." : $"{method} was not answered within {timeout} seconds; it may still be running. Wait longer by --timeout.");
        }
    }

    static int Say(int code, string message)
    {
        Console.Error.WriteLine($"spindle rpc: {message}");
        return code;
    }

    static string Indented(string json)
    {
        using var document = JsonDocument.Parse(json);
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            document.RootElement.WriteTo(writer);
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
