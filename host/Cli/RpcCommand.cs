using System.CommandLine;
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

    public static Command Create()
    {
        var method = new Argument<string>("METHOD") { Description = "The RPC method; rpc_get_methods lists them." };
        var parameters = new Argument<string[]>("PARAMETERS")
        {
            Description = "One JSON object, or name=value pairs (a value that is JSON is taken as JSON, any other as a string), or - to read the object from standard input.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var socket = new Option<string>("--rpc-socket", "-s") { Description = "The control socket.", DefaultValueFactory = _ => "/var/tmp/spdk.sock" };
        var timeout = new Option<double>("--timeout", "-t") { Description = "Seconds to wait for the reply.", DefaultValueFactory = _ => 60 };
        var command = new Command("rpc", "Calls an RPC method of a running Spindle (or SPDK) over its control socket. "
            + "Exit codes: 0 done, 1 the call failed, 2 wrong use, 3 no connection.")
        {
            method, parameters, socket, timeout,
        };
        command.SetAction((result, cancellationToken) =>
            RunAsync(result.GetValue(method)!, result.GetValue(parameters) ?? [], result.GetValue(socket)!, result.GetValue(timeout), cancellationToken));
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
