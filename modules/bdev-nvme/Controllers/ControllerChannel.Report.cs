using Spindle.Bdev.Nvme.Rpc;
using Spindle.Rpc;

namespace Spindle.Bdev.Nvme.Controllers;

/// <content>What RPCs are told of it. On its thread.</content>
internal sealed partial class ControllerChannel
{
    /// <summary>Its counters, and its thread.</summary>
    internal (string Thread, TransportCounters Counters) Count() => Queue is { } queue && _session is { Transport: { } transport }
        ? (_thread.Name, new TransportCounters(transport.Name, transport.SystemCompletions(queue), queue.CompletedCount, transport.QueuedCommands(queue), queue.SubmittedCount))
        : (_thread.Name, new TransportCounters(Controller.Addresses[0].Trtype, 0, 0, 0, 0));

    /// <summary>The paths of bdevs that go by it, as of now, to be written later on another thread.</summary>
    internal void Describe(string? bdev, Action<string, Action<IRpcWriter>> found)
    {
        foreach (var user in _users)
        {
            foreach (var path in user.Paths)
            {
                if (path.Channel != this || bdev is not null && bdev != user.BdevName) continue;
                string name = user.BdevName;
                bool current = path == user.Current || path == user.Select(), connected = Queue is not null, accessible = path.Namespace.IsAccessible;
                var (cntlid, address) = (Controller.Cntlid, Controller.Addresses[0]);
                found(_thread.Name, writer => Write(writer, name, cntlid, current, connected, accessible, address));
            }
        }
    }

    private static void Write(IRpcWriter writer, string bdev, ushort cntlid, bool current, bool connected, bool accessible, Transports.TransportAddress address)
    {
        writer.BeginObject();
        writer.Name("bdev_name");
        writer.String(bdev);
        writer.Name("cntlid");
        writer.Number((ulong)cntlid);
        writer.Name("current");
        writer.Boolean(current);
        writer.Name("connected");
        writer.Boolean(connected);
        writer.Name("accessible");
        writer.Boolean(accessible);
        writer.Name("transport");
        writer.BeginObject();
        writer.Name("trtype");
        writer.String(address.Trtype);
        writer.Name("traddr");
        writer.String(address.Traddr);
        writer.Name("trsvcid");
        writer.String(address.Trsvcid);
        writer.Name("adrfam");
        writer.String(address.Adrfam);
        writer.EndObject();
        writer.EndObject();
    }
}
