using System.Globalization;
using System.Runtime.InteropServices;
using Spindle.Bdev.Nvme.Controllers;
using Spindle.Modules;
using Spindle.Nvme.LogPages;
using Spindle.Rpc;

namespace Spindle.Bdev.Nvme.Rpc;

/// <summary>What is told of controllers and paths.</summary>
public sealed class QueryRpc(NvmeService service, IModuleContext context)
{
    private const int KelvinOfZero = 273;

    private readonly NvmeControllers _controllers = service.Controllers;

    /// <summary>Lists controllers by the names they were attached under.</summary>
    /// <exception cref="RpcException">Code 22: there is none of the name.</exception>
    [RpcMethod("bdev_nvme_get_controllers", Summary = "List NVMe controllers.", ParameterErrorText = "spdk_json_decode_object failed")]
    public WrittenResult GetControllers(OptionalNameParameters p)
    {
        var groups = _controllers.Groups.ToArray();
        if (p.Name is { } name)
        {
            // SPDK's code is not negated here.
            groups = [_controllers.Find(name) ?? throw new RpcException(Errno.EINVAL, $"Controller {name} does not exist")];
        }
        return new WrittenResult(writer =>
        {
            writer.BeginArray();
            foreach (var group in groups) WriteGroup(writer, group);
            writer.EndArray();
        });
    }

    private static void WriteGroup(IRpcWriter writer, ControllerGroup group)
    {
        writer.BeginObject();
        writer.Name("name");
        writer.String(group.Name);
        writer.Name("ctrlrs");
        writer.BeginArray();
        foreach (var controller in group.Controllers)
        {
            writer.BeginObject();
            writer.Name("state");
            writer.String(ControllerStateNames.Of(controller.State));
            writer.Name("trid");
            writer.BeginObject();
            controller.Addresses[0].Write(writer);
            writer.EndObject();
            if (controller.Addresses.Count > 1)
            {
                writer.Name("alternate_trids");
                writer.BeginArray();
                foreach (var address in controller.Addresses.Skip(1))
                {
                    writer.BeginObject();
                    address.Write(writer);
                    writer.EndObject();
                }
                writer.EndArray();
            }
            writer.Name("cntlid");
            writer.Number((ulong)controller.Cntlid);
            writer.Name("host");
            writer.BeginObject();
            writer.Name("nqn");
            writer.String(controller.Path.HostNqn);
            writer.Name("addr");
            writer.String("");
            writer.Name("svcid");
            writer.String("");
            writer.EndObject();
            writer.EndObject();
        }
        writer.EndArray();
        writer.EndObject();
    }

    /// <summary>Lists, for each thread, the paths of bdevs.</summary>
    [RpcMethod("bdev_nvme_get_io_paths", Summary = "List the I/O paths of NVMe bdevs, by thread.", ParameterErrorCode = RpcErrorCode.InvalidParams,
        ParameterErrorText = "bdev_nvme_get_io_paths requires no parameters")]
    public async Task<WrittenResult> GetIoPathsAsync(OptionalNameParameters p)
    {
        var found = new List<(string Thread, Action<IRpcWriter> Write)>();
        foreach (var controller in _controllers.Groups.SelectMany(group => group.Controllers).ToArray())
        {
            await context.Threads.ForEachChannelAsync(controller, (channel, _) =>
            {
                ((ControllerChannel)channel).Describe(p.Name, (thread, write) => found.Add((thread, write)));
                return 0;
            }, null);
        }
        return new WrittenResult(writer => WriteByThread(writer, found, "io_paths"));
    }

    private static void WriteByThread(IRpcWriter writer, List<(string Thread, Action<IRpcWriter> Write)> found, string member)
    {
        writer.BeginObject();
        writer.Name("poll_groups");
        writer.BeginArray();
        foreach (var thread in found.GroupBy(entry => entry.Thread))
        {
            writer.BeginObject();
            writer.Name("thread");
            writer.String(thread.Key);
            writer.Name(member);
            writer.BeginArray();
            foreach (var (_, write) in thread) write(writer);
            writer.EndArray();
            writer.EndObject();
        }
        writer.EndArray();
        writer.EndObject();
    }

    /// <summary>Counters of the transport, by thread. There is no polling here: a poll is a completion of the ring.</summary>
    [RpcMethod("bdev_nvme_get_transport_statistics", Summary = "Counters of the transport, by thread.", ParameterErrorCode = RpcErrorCode.InvalidParams,
        ParameterErrorText = "'bdev_nvme_get_transport_statistics' requires no arguments")]
    public async Task<WrittenResult> GetTransportStatisticsAsync()
    {
        var sums = new SortedDictionary<string, TransportCounters>(StringComparer.Ordinal);
        foreach (var controller in _controllers.Groups.SelectMany(group => group.Controllers).ToArray())
        {
            await context.Threads.ForEachChannelAsync(controller, (channel, _) =>
            {
                var (thread, counters) = ((ControllerChannel)channel).Count();
                sums[thread] = sums.TryGetValue(thread, out var sum) ? sum + counters : counters;
                return 0;
            }, null);
        }
        var found = sums.Select(pair => (pair.Key, (Action<IRpcWriter>)pair.Value.Write)).ToList();
        return new WrittenResult(writer => WriteByThread(writer, found, "transports"));
    }

    /// <summary>Health of a controller (the SMART / Health Information log page).</summary>
    /// <exception cref="RpcException">-32603: there is none of the name, or it does not tell.</exception>
    [RpcMethod("bdev_nvme_get_controller_health_info", Summary = "Health of an NVMe controller.", ParameterErrorText = "Invalid parameters")]
    public async Task<WrittenResult> GetHealthAsync(HealthParameters p)
    {
        var controller = (_controllers.Find(p.Name) ?? throw new RpcException(RpcErrorCode.InternalError, $"Device not found: name '{p.Name}' is no NVMe controller.")).Controllers[0];
        if (controller.Session is not { } session) throw new RpcException(RpcErrorCode.InternalError, $"Internal error: the controller is {ControllerStateNames.Of(controller.State)}.");
        byte[] page;
        try
        {
            page = await session.GetLogPageAsync(LogPageIdentifier.SmartHealthInformation, 0, 512);
        }
        catch (SpindleException e)
        {
            throw new RpcException(RpcErrorCode.InternalError, $"Internal error: {e.Message}");
        }
        return new WrittenResult(writer => WriteHealth(writer, controller, session, page));
    }

    private static void WriteHealth(IRpcWriter writer, NvmeController controller, ControllerSession session, byte[] page)
    {
        var health = MemoryMarshal.Read<SmartHealthInformationLogPage>(page);
        writer.BeginObject();
        foreach (var (name, text) in new[]
        {
            ("model_number", session.ModelNumber), ("serial_number", session.SerialNumber), ("firmware_revision", session.FirmwareRevision), ("traddr", controller.Addresses[0].Traddr),
        })
        {
            writer.Name(name);
            writer.String(text);
        }
        foreach (var (name, value) in new (string, UInt128)[]
        {
            ("critical_warning", (byte)health.CriticalWarning),
            // As SPDK writes it: unsigned, whatever it is.
            ("temperature_celsius", unchecked((ulong)(health.CompositeTemperature - KelvinOfZero))),
            ("available_spare_percentage", health.AvailableSpare), ("available_spare_threshold_percentage", health.AvailableSpareThreshold),
            ("percentage_used", health.PercentageUsed), ("data_units_read", health.DataUnitsRead), ("data_units_written", health.DataUnitsWritten),
            ("host_read_commands", health.HostReadCommands), ("host_write_commands", health.HostWriteCommands), ("controller_busy_time", health.ControllerBusyTime),
            ("power_cycles", health.PowerCycles), ("power_on_hours", health.PowerOnHours), ("unsafe_shutdowns", health.UnsafeShutdowns),
            ("media_errors", health.MediaAndDataIntegrityErrors), ("num_err_log_entries", health.NumberOfErrorInformationLogEntries),
            ("warning_temperature_time_minutes", health.WarningCompositeTemperatureTime),
            ("critical_composite_temperature_time_minutes", health.CriticalCompositeTemperatureTime),
        })
        {
            writer.Name(name);
            if (value <= ulong.MaxValue) writer.Number((ulong)value);
            else writer.Number(double.Parse(value.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture));
        }
        writer.EndObject();
    }
}

/// <summary>The parameters of <c>bdev_nvme_get_controller_health_info</c>.</summary>
[RpcObject]
public sealed class HealthParameters
{
    [RpcMember(Required = true, Summary = "Name of the controller")]
    public string Name { get; set; } = "";
}

/// <summary>A result that is written by hand.</summary>
public sealed class WrittenResult : IRpcResult
{
    private readonly Action<IRpcWriter> _write;

    internal WrittenResult(Action<IRpcWriter> write) => _write = write;

    /// <inheritdoc/>
    public void Write(IRpcWriter writer) => _write(writer);
}
