using System.CommandLine;
using System.CommandLine.Completions;
using System.Text.Json;
using Spindle.Host.Rpc.Client;
using Spindle.Rpc;

namespace Spindle.Cli;

/// <summary>What a shell may offer for <c>spindle rpc</c>: the methods of the running host, then the parameters of the one that is typed.</summary>
internal static class RpcCompletions
{
    // Somebody waits with a finger on the key.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    public static void Add(Argument<string> method, Argument<string[]> parameters, Option<string> socket)
    {
        method.CompletionSources.Add(context => IsNext(context, method) ? Methods(Socket(context, socket)) : []);
        parameters.CompletionSources.Add(context => Parameters(Socket(context, socket), context.ParseResult.GetResult(method)?.Tokens.FirstOrDefault()?.Value, context.ParseResult.GetValue(parameters) ?? [], context.WordToComplete));
    }

    // Every argument is asked, also the one that is there.
    private static bool IsNext(CompletionContext context, Argument<string> method) => context.ParseResult.GetResult(method)?.Tokens is not [{ Value: var typed }] || typed == context.WordToComplete;

    private static string Socket(CompletionContext context, Option<string> socket) => context.ParseResult.GetValue(socket) ?? "/var/tmp/spdk.sock";

    private static IEnumerable<CompletionItem> Methods(string socket) =>
        Call(socket, "rpc_get_methods", null) is { } reply ? reply.EnumerateArray().Select(name => new CompletionItem(name.GetString()!)) : [];

    private static IEnumerable<CompletionItem> Parameters(string socket, string? method, string[] typed, string word)
    {
        if (string.IsNullOrEmpty(method) || Call(socket, "rpc_get_schema", $"{{\"method\":{JsonSerializer.Serialize(method)}}}") is not { } reply) return [];
        var parameters = reply.GetProperty("methods")[0].GetProperty("params").EnumerateArray().ToArray();
        // After the '=' its choices, where it has some.
        int equals = word.IndexOf('=');
        if (equals > 0)
        {
            string name = word[..equals];
            return parameters.Where(p => p.GetProperty("name").GetString() == name).SelectMany(Choices).Select(choice => new CompletionItem($"{name}={choice}"));
        }
        var given = typed.Where(argument => argument.Contains('=')).Select(argument => argument[..argument.IndexOf('=')]).ToHashSet();
        return parameters.Select(p => p.GetProperty("name").GetString()!).Where(name => !given.Contains(name)).Select(name => new CompletionItem(name + "="));
    }

    private static IEnumerable<string> Choices(JsonElement parameter) => parameter.TryGetProperty("values", out var values) ? values.EnumerateArray().Select(value => value.GetString()!)
        : parameter.GetProperty("type").GetString() == "boolean" ? ["true", "false"] : [];

    private static JsonElement? Call(string socket, string method, string? parameters)
    {
        try
        {
            return Task.Run(async () =>
            {
                using var limit = new CancellationTokenSource(s_patience);
                await using var client = await RpcClient.ConnectAsync(socket, limit.Token);
                return JsonDocument.Parse(await client.CallAsync(method, parameters, limit.Token)).RootElement;
            }).GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is RpcException or SpindleException or OperationCanceledException)
        {
            return null; // nothing to offer; the call itself will tell why
        }
    }
}
