using Spindle.Frontend.Nvmf.Target;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>RPCs on transports.</summary>
internal sealed class TransportRpc(TargetHolder holder)
{
    [RpcMethod("nvmf_create_transport", Summary = "Creates a transport.")]
    public async Task<bool> Create(CreateTransportParameters parameters)
    {
        NvmfTarget target = holder.GetTarget(parameters.TgtName);
        INvmfTransportFactory factory = NvmfTransports.Find(parameters.Trtype) ?? throw new RpcException(RpcErrorCode.InvalidParams,
            $"Invalid transport type '{parameters.Trtype}'; trtype is one of {string.Join(", ", NvmfTransports.All.Select(f => f.Name))}.");
        if (target.FindTransport(factory.Name) is not null)
            throw new RpcException(RpcErrorCode.InternalError, $"Transport type '{parameters.Trtype}' already exists");
        try
        {
            await target.CreateTransportAsync(factory, Options(factory, parameters));
        }
        catch (SpindleException e)
        {
            throw new RpcException(RpcErrorCode.InternalError, $"Transport type '{parameters.Trtype}' create failed: {e.Message}");
        }
        return true;
    }

    [RpcMethod("nvmf_get_transports", Summary = "Shows the transports.")]
    public TransportList Get(GetTransportsParameters parameters)
    {
        NvmfTarget target = holder.GetTarget(parameters.TgtName);
        if (parameters.Trtype is null) return new TransportList(target.Transports);
        return new TransportList([target.FindTransport(parameters.Trtype) ?? throw new RpcException(-Errno.ENODEV, Errno.Message(Errno.ENODEV))]);
    }

    private static NvmfTransportOptions Options(INvmfTransportFactory factory, CreateTransportParameters given)
    {
        NvmfTransportOptions options = factory.CreateDefaultOptions();
        options.MaxQueueDepth = given.MaxQueueDepth ?? options.MaxQueueDepth;
        options.MaxIoQueuePairsPerController = given.MaxIoQpairsPerCtrlr ?? options.MaxIoQueuePairsPerController;
        options.InCapsuleDataSize = given.InCapsuleDataSize ?? options.InCapsuleDataSize;
        options.MaxIoSize = given.MaxIoSize ?? options.MaxIoSize;
        options.IoUnitSize = given.IoUnitSize ?? options.IoUnitSize;
        options.MaxAdminQueueDepth = given.MaxAqDepth ?? options.MaxAdminQueueDepth;
        options.SharedBuffers = given.NumSharedBuffers ?? options.SharedBuffers;
        options.BufferCacheSize = given.BufCacheSize ?? options.BufferCacheSize;
        options.Zcopy = given.Zcopy ?? options.Zcopy;
        options.DifInsertOrStrip = given.DifInsertOrStrip ?? options.DifInsertOrStrip;
        options.C2hSuccess = given.C2hSuccess ?? options.C2hSuccess;
        options.SocketPriority = given.SockPriority ?? options.SocketPriority;
        options.ControlMessages = given.ControlMsgNum ?? options.ControlMessages;
        options.AbortTimeoutSeconds = given.AbortTimeoutSec ?? options.AbortTimeoutSeconds;
        options.AckTimeout = given.AckTimeout ?? options.AckTimeout;
        options.DataWorkRequestPoolSize = given.DataWrPoolSize ?? options.DataWorkRequestPoolSize;
        options.DisableCommandPassthrough = given.DisableCommandPassthru ?? options.DisableCommandPassthrough;
        options.KeepAliveGranularity = given.Kas ?? options.KeepAliveGranularity;
        options.MinKeepAliveTimeout = given.MinKato ?? options.MinKeepAliveTimeout;
        return options;
    }
}

/// <summary>The result of <c>nvmf_get_transports</c>.</summary>
internal sealed class TransportList(IReadOnlyList<NvmfTransport> transports) : IRpcResult
{
    /// <inheritdoc/>
    public void Write(IRpcWriter writer)
    {
        writer.BeginArray();
        foreach (NvmfTransport transport in transports)
        {
            writer.BeginObject();
            TransportOptionsJson.Write(writer, transport);
            writer.EndObject();
        }
        writer.EndArray();
    }
}
