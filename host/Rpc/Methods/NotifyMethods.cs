using Spindle.Host.Notifications;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>Events for operators.</summary>
internal sealed class NotifyMethods(NotificationRing ring)
{
    [RpcMethod("notify_get_types", Summary = "The types of events.", ParameterErrorText = "No parameters required")]
    public IReadOnlyList<string> GetTypes() => ring.Types;

    [RpcMethod("notify_get_notifications", Summary = "The events from an id on; the latest 1,024 are kept.",
        ParameterErrorCode = RpcErrorCode.InvalidParams, ParameterErrorText = "Invalid argument")]
    public IReadOnlyList<NotificationReply> GetNotifications(GetNotificationsParameters parameters) =>
        [.. ring.Get(parameters.Id, parameters.Max).Select(n => new NotificationReply { Type = n.Type, Ctx = n.Context, Id = n.Id })];
}

[RpcObject]
internal sealed class GetNotificationsParameters
{
    [RpcMember(Summary = "The first event wanted; the oldest one kept when left out.")]
    public ulong Id { get; init; }

    [RpcMember(Summary = "How many events at most; no limit when left out.")]
    public ulong Max { get; init; } = ulong.MaxValue;
}

[RpcObject]
internal sealed class NotificationReply
{
    public string Type { get; init; } = "";

    public string Ctx { get; init; } = "";

    public ulong Id { get; init; }
}
