using Spindle.Rpc;

namespace Spindle.Host.Rpc.Server;

/// <summary>One request on its way from its text to the text of its reply.</summary>
internal sealed class RpcCall : RpcCompletion
{
    readonly int _maxReplyBytes;
    readonly ReadOnlyMemory<byte> _id;
    readonly RpcReplyBuffer _reply;
    readonly Action<RpcReplyBuffer?, bool> _ended;

    RpcCall(ReadOnlyMemory<byte> id, int maxReplyBytes, Action<RpcReplyBuffer?, bool> ended) =>
        (_id, _maxReplyBytes, _reply, _ended) = (id, maxReplyBytes, new RpcReplyBuffer(maxReplyBytes), ended);

    /// <summary>Starts a call.</summary>
    /// <param name="dispatcher">Who runs it.</param>
    /// <param name="request">One valid JSON value.</param>
    /// <param name="maxReplyBytes">The limit of the reply.</param>
    /// <param name="cancellationToken">Asks the handler to give up.</param>
    /// <param name="ended">Called once, here or on the app thread: the reply without its line feed, or null when there is to be none; true when
    /// code of the call may still read the request.</param>
    public static void Start(RpcDispatcher dispatcher, ReadOnlyMemory<byte> request, int maxReplyBytes, CancellationToken cancellationToken, Action<RpcReplyBuffer?, bool> ended)
    {
        var problem = RpcEnvelope.TryRead(request, out var envelope);
        var call = new RpcCall(envelope.Id, maxReplyBytes, ended);
        if (problem is not null)
        {
            call.End(new RpcError(RpcErrorCode.InvalidRequest, problem));
            return;
        }
        RpcReplies.BeginResult(call._reply, envelope.Id.Span);
        dispatcher.Start(envelope.Method, envelope.Parameters, call._reply, call, cancellationToken);
    }

    protected override void OnEnded(RpcError? error)
    {
        if (error is not null)
        {
            _reply.Truncate(0);
            RpcReplies.Error(_reply, _id.Span, error.Value);
        }
        else if (_id.IsEmpty)
        {
            _reply.Release();
            _ended(null, false);
            return;
        }
        else
        {
            _reply.Write("}"u8);
        }
        _ended(_reply, false);
    }

    protected override void OnAbandoned(RpcError error)
    {
        var reply = new RpcReplyBuffer(_maxReplyBytes);
        RpcReplies.Error(reply, _id.Span, error);
        _ended(reply, true);
    }
}
