using System.Diagnostics;
using Spindle.Frontend.Nvmf.Controllers;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Target;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Identify;
using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>RPCs that show what is connected, and the counters.</summary>
internal sealed class QueryRpc(TargetHolder holder)
{
    [RpcMethod("nvmf_subsystem_get_controllers", Summary = "Shows the controllers of a subsystem.")]
    public WrittenResult GetControllers(SubsystemParameters parameters)
    {
        NvmfSubsystem subsystem = holder.GetSubsystem(parameters.TgtName, parameters.Nqn);
        return new WrittenResult(writer =>
        {
            writer.BeginArray();
            foreach (NvmfController controller in subsystem.Controllers)
            {
                writer.BeginObject();
                writer.Member("cntlid", controller.Cntlid);
                writer.Member("cntrltype", controller.Type == ControllerType.Discovery ? "discovery" : "io");
                writer.Member("hostnqn", controller.HostNqn);
                writer.Member("hostid", controller.HostId.ToGuid().ToString("D"));
                writer.Member("num_io_qpairs", (uint)controller.Queues.IoCount);
                writer.EndObject();
            }
            writer.EndArray();
        });
    }

    [RpcMethod("nvmf_subsystem_get_qpairs", Summary = "Shows the queue pairs of a subsystem.")]
    public async Task<WrittenResult> GetQueuePairs(SubsystemParameters parameters)
    {
        NvmfTarget target = holder.GetTarget(parameters.TgtName);
        NvmfSubsystem subsystem = holder.GetSubsystem(parameters.TgtName, parameters.Nqn);
        List<QueuePairRow> rows = [];
        foreach (NvmfPollGroup group in target.PollGroups)
        {
            await group.Thread.InvokeAsync(() =>
            {
                foreach (NvmfQueuePair queuePair in group.QueuePairs)
                {
                    if (queuePair.Controller is { } controller && controller.Subsystem == subsystem) rows.Add(new QueuePairRow(queuePair, controller, group.Name));
                }
                return Task.CompletedTask;
            });
        }
        return new WrittenResult(writer =>
        {
            writer.BeginArray();
            foreach (QueuePairRow row in rows) row.Write(writer);
            writer.EndArray();
        });
    }

    [RpcMethod("nvmf_subsystem_get_listeners", Summary = "Shows the listeners of a subsystem.")]
    public WrittenResult GetListeners(SubsystemParameters parameters)
    {
        NvmfSubsystem subsystem = holder.GetSubsystem(parameters.TgtName, parameters.Nqn);
        return new WrittenResult(writer =>
        {
            writer.BeginArray();
            foreach (SubsystemListener listener in subsystem.Listeners) Write(writer, subsystem, listener);
            writer.EndArray();
        });
    }

    [RpcMethod("nvmf_get_stats", Summary = "Shows the poll groups' counters.")]
    public WrittenResult GetStats(GetStatsParameters parameters)
    {
        NvmfTarget target = holder.GetTarget(parameters.TgtName);
        return new WrittenResult(writer =>
        {
            writer.BeginObject();
            writer.Member("tick_rate", (ulong)Stopwatch.Frequency);
            writer.Name("poll_groups");
            writer.BeginArray();
            foreach (NvmfPollGroup group in target.PollGroups) Write(writer, target, group);
            writer.EndArray();
            writer.EndObject();
        });
    }

    private static void Write(IRpcWriter writer, NvmfSubsystem subsystem, SubsystemListener listener)
    {
        writer.BeginObject();
        writer.Member("address", listener.Address);
        if (subsystem.Options.AnaReporting)
        {
            writer.Name("ana_states");
            writer.BeginArray();
            for (uint group = 1; group <= listener.AnaGroups; group++)
            {
                writer.BeginObject();
                writer.Member("ana_group", group);
                writer.Member("ana_state", listener.GetAnaState(group).Name());
                writer.EndObject();
            }
            writer.EndArray();
        }
        writer.EndObject();
    }

    private static void Write(IRpcWriter writer, NvmfTarget target, NvmfPollGroup group)
    {
        PollGroupStatistics statistics = group.Statistics;
        writer.BeginObject();
        writer.Member("name", group.Name);
        writer.Member("admin_qpairs", statistics.AdminQueuePairs);
        writer.Member("io_qpairs", statistics.IoQueuePairs);
        writer.Member("current_admin_qpairs", statistics.CurrentAdminQueuePairs);
        writer.Member("current_io_qpairs", statistics.CurrentIoQueuePairs);
        writer.Member("pending_bdev_io", statistics.PendingBdevIo);
        writer.Member("completed_nvme_io", statistics.CompletedIo);
        writer.Name("transports");
        writer.BeginArray();
        foreach (NvmfTransport transport in target.Transports)
        {
            writer.BeginObject();
            writer.Member("trtype", transport.Name);
            transport.WriteStatistics(group, writer);
            writer.EndObject();
        }
        writer.EndArray();
        writer.EndObject();
    }

    /// <summary>A queue pair as its own thread saw it.</summary>
    private sealed class QueuePairRow(NvmfQueuePair queuePair, NvmfController controller, string thread)
    {
        private readonly ushort _qid = queuePair.Qid;
        private readonly NvmfQueuePairState _state = queuePair.State;

        public void Write(IRpcWriter writer)
        {
            writer.BeginObject();
            writer.Member("cntlid", controller.Cntlid);
            writer.Member("qid", _qid);
            writer.Member("state", _state switch
            {
                NvmfQueuePairState.Uninitialized => "uninitialized",
                NvmfQueuePairState.Connecting => "connecting",
                NvmfQueuePairState.Enabled => "enabled",
                _ => "deactivating",
            });
            writer.Member("thread", thread);
            writer.Member("hostnqn", controller.HostNqn);
            writer.Member("listen_address", queuePair.ListenAddress);
            writer.Member("peer_address", queuePair.PeerAddress);
            writer.EndObject();
        }
    }
}

/// <summary>A result that a function writes.</summary>
internal sealed class WrittenResult(Action<IRpcWriter> write) : IRpcResult
{
    /// <inheritdoc/>
    public void Write(IRpcWriter writer) => write(writer);
}
