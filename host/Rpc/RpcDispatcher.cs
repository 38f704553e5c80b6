using System.Buffers;
using System.Text;
using Microsoft.Extensions.Logging;
using Spindle.Host.Rpc.Json;
using Spindle.Host.Rpc.Server;
using Spindle.Rpc;
using Spindle.Threading;

namespace Spindle.Host.Rpc;

/// <summary>Runs RPC calls on the app thread, wherever they come from: the socket, a configuration file, the embedding program.</summary>
public sealed class RpcDispatcher(RpcMethodRegistry registry, IStorageThreads threads, ILogger<RpcDispatcher> logger)
{
    const int MaxDepth = 64;

    readonly Lock _holding = new();
    Queue<HeldCall>? _held;
    RpcError? _refusal;

    /// <summary>Told on the app thread of an unexpected exception out of a module's method: the module, the method, the exception as text.</summary>
    internal event Action<string, string, string>? Faulted;

    /// <summary>The methods.</summary>
    public RpcMethodRegistry Methods => registry;

    /// <summary>Calls a method. On any thread.</summary>
    /// <param name="method">Its name.</param>
    /// <param name="parameters">JSON text of an object; null or "null" for none.</param>
    /// <param name="cancellationToken">Asks the handler to give up.</param>
    /// <returns>The result as JSON text.</returns>
    /// <exception cref="RpcException">The call failed, or the parameters are not JSON; with the code and message a client would see.</exception>
    public async Task<string> InvokeAsync(string method, string? parameters = null, CancellationToken cancellationToken = default)
    {
        var json = Encoding.UTF8.GetBytes(parameters ?? "");
        if (json.Length > 0)
        {
            Check(json);
        }
        var output = new ArrayBufferWriter<byte>();
        var error = await InvokeAsync(method, json, output, cancellationToken).ConfigureAwait(false);
        return error is null ? Encoding.UTF8.GetString(output.WrittenSpan) : throw new RpcException(error.Value.Code, error.Value.Message);
    }

    /// <summary>Runs a saved call of a module that is started anew, in whatever phase the host is. On the app thread.</summary>
    /// <exception cref="RpcException">The call failed.</exception>
    internal async Task ReplayAsync(string method, ReadOnlyMemory<byte> parameters)
    {
        if (await RunAsync(method, parameters, new ArrayBufferWriter<byte>(), CancellationToken.None, inAnyPhase: true) is { } error)
            throw new RpcException(error.Code, error.Message);
    }

    static void Check(ReadOnlySpan<byte> json)
    {
        var scanner = new JsonScanner(MaxDepth);
        var position = 0;
        var result = scanner.Scan(json, ref position);
        if (result == JsonScanResult.Invalid)
        {
            throw new RpcException(RpcErrorCode.ParseError, $"Parse error: the parameters are not JSON, at byte {position}: {scanner.Error}");
        }
        if ((result == JsonScanResult.More && !scanner.IsNumberThatMayEnd) || json[position..].ContainsAnyExcept(" \t\r\n"u8))
        {
            throw new RpcException(RpcErrorCode.ParseError, "Parse error: the parameters must be one complete JSON value");
        }
    }

    async Task<RpcError?> InvokeAsync(string method, ReadOnlyMemory<byte> parameters, IBufferWriter<byte> output, CancellationToken cancellationToken)
    {
        if (RpcMethodRegistry.RunsAnywhere(method)) return await RunAsync(method, parameters, output, cancellationToken).ConfigureAwait(false);
        RpcError? error = null;
        try
        {
            await threads.AppThread.InvokeAsync(async () => error = await RunAsync(method, parameters, output, cancellationToken)).ConfigureAwait(false);
        }
        catch (SpindleException exception)
        {
            error = RpcError.From(exception); // the app thread has ended
        }
        return error;
    }

    /// <summary>Starts a call: its message is in the app thread's mailbox when this returns, so calls begin in the order of their starts.</summary>
    /// <param name="method">Its name.</param>
    /// <param name="parameters">Valid JSON that stays as it is until the call ends; empty for none.</param>
    /// <param name="output">Takes the result; what it holds is of no use after an error.</param>
    /// <param name="completion">Told the end, on the app thread.</param>
    /// <param name="cancellationToken">Asks the handler to give up.</param>
    internal void Start(string method, ReadOnlyMemory<byte> parameters, IBufferWriter<byte> output, RpcCompletion completion, CancellationToken cancellationToken)
    {
        RpcError? refusal;
        lock (_holding)
        {
            refusal = _refusal;
            if (_held is not null && refusal is null && !IsSettled(method))
            {
                _held.Enqueue(new HeldCall(method, parameters, output, completion, cancellationToken));
                return;
            }
        }
        if (refusal is not null && !IsSettled(method)) completion.End(refusal);
        else StartNow(method, parameters, output, completion, cancellationToken);
    }

    /// <summary>Holds back what clients call from now on, so that they may be served while the host still starts: no call is answered otherwise than
    /// it will be when the host is ready. Those whose answer is the same at all times go through.</summary>
    internal void Hold()
    {
        lock (_holding) _held ??= new Queue<HeldCall>();
    }

    /// <summary>Starts the calls that were held back, in their order; later ones are started as they come.</summary>
    internal void Release()
    {
        // Under the lock, so that no later call comes before them; a start only sends a message.
        lock (_holding)
        {
            while (_held is not null && _held.TryDequeue(out var call)) StartNow(call.Method, call.Parameters, call.Output, call.Completion, call.CancellationToken);
            _held = null;
        }
    }

    /// <summary>Ends the calls that are still held back, and any that come, because the host ends before it was ready. On any thread.</summary>
    internal void RefuseHeld()
    {
        Queue<HeldCall>? held;
        lock (_holding)
        {
            if (_held is null) return;
            held = _held;
            _refusal = new RpcError(-Errno.ECANCELED, $"{Errno.Message(Errno.ECANCELED)}: the host ends before it was ready");
        }
        while (held.TryDequeue(out var call)) call.Completion.End(_refusal);
    }

    static bool IsSettled(string method) => method is "spdk_get_version" or "framework_wait_init" || RpcMethodRegistry.RunsAnywhere(method);

    sealed record HeldCall(string Method, ReadOnlyMemory<byte> Parameters, IBufferWriter<byte> Output, RpcCompletion Completion, CancellationToken CancellationToken);

    void StartNow(string method, ReadOnlyMemory<byte> parameters, IBufferWriter<byte> output, RpcCompletion completion, CancellationToken cancellationToken)
    {
        _ = StartAsync();

        async Task StartAsync()
        {
            try
            {
                if (RpcMethodRegistry.RunsAnywhere(method))
                {
                    completion.End(await RunAsync(method, parameters, output, cancellationToken).ConfigureAwait(false));
                    return;
                }
                await threads.AppThread.InvokeAsync(async () => completion.End(await RunAsync(method, parameters, output, cancellationToken))).ConfigureAwait(false);
            }
            catch (SpindleException exception)
            {
                completion.Abandon(RpcError.From(exception));
            }
        }
    }

    /// <summary>On the app thread. Exceptions become plain text here: a kept one would keep its plugin loaded.</summary>
    async Task<RpcError?> RunAsync(string method, ReadOnlyMemory<byte> parameters, IBufferWriter<byte> output, CancellationToken cancellationToken, bool inAnyPhase = false)
    {
        RpcMethodEntry? entry = null;
        try
        {
            // While its module is being upgraded a call waits, and then goes to the new version.
            while (registry.GateOf(method) is { } opened) await opened.WaitAsync(cancellationToken);
            entry = registry.BeginCall(method, inAnyPhase);
            var handler = entry.Handler;
            using var writer = new RpcJsonWriter(output);
            var reader = new RpcJsonReader(IsNull(parameters.Span) ? default : parameters, "params", handler.ParameterErrorCode, handler.ParameterErrorText, handler.Parameters);
            await handler.InvokeAsync(reader, writer, cancellationToken);
            writer.Complete();
            return null;
        }
        catch (RpcException exception)
        {
            return new RpcError(exception.Code, exception.Message);
        }
        catch (SpindleException exception)
        {
            return RpcError.From(exception);
        }
        catch (OperationCanceledException)
        {
            return new RpcError(-Errno.ECANCELED, Errno.Message(Errno.ECANCELED));
        }
        catch (RpcReplyTooLargeException exception)
        {
            return new RpcError(RpcErrorCode.InternalError, exception.Message);
        }
        catch (Exception exception)
        {
            var text = exception.ToString();
            logger.LogError("RPC method {Method} of module {Module} failed: {Exception}", method, entry?.Owner, text);
            if (entry is not null && entry.Owner != "spindle") Faulted?.Invoke(entry.Owner, method, text);
            return new RpcError(RpcErrorCode.InternalError, $"Internal error: {exception.GetType().Name}: {exception.Message}");
        }
        finally
        {
            if (entry is not null)
            {
                registry.EndCall(entry);
            }
        }
    }

    static bool IsNull(ReadOnlySpan<byte> json) => json.Trim(" \t\r\n"u8).SequenceEqual("null"u8);
}

/// <summary>Someone who is told the end of a call, once.</summary>
internal abstract class RpcCompletion
{
    int _ended;

    /// <summary>The call has ended.</summary>
    public void End(RpcError? error)
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
        {
            OnEnded(error);
        }
    }

    /// <summary>The app thread has ended before the call: its code may still be at work on the parameters and the output.</summary>
    public void Abandon(RpcError error)
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
        {
            OnAbandoned(error);
        }
    }

    protected abstract void OnEnded(RpcError? error);

    protected abstract void OnAbandoned(RpcError error);
}

/// <summary>An error as a client sees it.</summary>
internal readonly record struct RpcError(int Code, string Message)
{
    /// <summary>The negated error number; the message starts with the C library's words, which clients compare.</summary>
    public static RpcError From(SpindleException exception)
    {
        // What can be wrong with a module has codes of its own, for programs; the sentence is for people.
        if (exception is Modules.ModuleException module) return new RpcError(-1000 - (int)module.Code, $"{module.Message} ({module.Code})");
        var words = Errno.Message(exception.Errno);
        return new RpcError(-exception.Errno, exception.Message.StartsWith(words, StringComparison.Ordinal) ? exception.Message : $"{words}: {exception.Message}");
    }
}
