using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>A subsystem with a TCP listener (and discovery beside it) on an address that is the same on the host and in the guest.</summary>
sealed class ServedSubsystem
{
    static int last;

    /// <summary>The address of the listeners.</summary>
    public const string Address = "127.0.0.2";

    /// <summary>The discovery subsystem's name.</summary>
    public const string Discovery = "nqn.2014-08.org.nvmexpress.discovery";

    /// <summary>Names it and finds a port that is free.</summary>
    public ServedSubsystem()
    {
        Nqn = $"nqn.2026-11.io.spindle:interop-{Interlocked.Increment(ref last)}";
        using var probe = new TcpListener(IPAddress.Parse(Address), 0);
        probe.Start();
        Port = ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    /// <summary>The subsystem's name.</summary>
    public string Nqn { get; }

    /// <summary>The port of both listeners.</summary>
    public int Port { get; }

    /// <summary>The calls that make it, without namespaces.</summary>
    public IEnumerable<(string Method, object Parameters)> Calls()
    {
        object listen = new { trtype = "TCP", adrfam = "IPv4", traddr = Address, trsvcid = Port.ToString() };
        yield return ("nvmf_create_transport", new { trtype = "TCP" });
        yield return ("nvmf_create_subsystem", new { nqn = Nqn, allow_any_host = true, serial_number = "SPDLINTEROP", model_number = "Spindle interop" });
        yield return ("nvmf_subsystem_add_listener", new { nqn = Nqn, listen_address = listen });
        yield return ("nvmf_subsystem_add_listener", new { nqn = Discovery, listen_address = listen });
    }

    /// <summary>The call that adds a namespace.</summary>
    public (string Method, object Parameters) Namespace(int nsid, string bdev) =>
        ("nvmf_subsystem_add_ns", new { nqn = Nqn, @namespace = new { nsid, bdev_name = bdev } });

    /// <summary>Makes it in a running host, with namespaces 1, 2, … on the bdevs.</summary>
    public async Task CreateAsync(SpindleProcess spindle, string[] bdevs, CancellationToken ct)
    {
        foreach (var (method, parameters) in Calls().Concat(bdevs.Select((bdev, i) => Namespace(i + 1, bdev)))) await spindle.CallAsync(method, parameters, ct);
    }

    /// <summary>Writes a configuration file that makes the bdevs and this subsystem with a namespace on each.</summary>
    /// <param name="file">The file.</param>
    /// <param name="create">The calls that create the bdevs.</param>
    /// <param name="bdevs">Their names.</param>
    public void WriteConfiguration(string file, IEnumerable<(string Method, object Parameters)> create, params string[] bdevs)
    {
        static JsonArray List(IEnumerable<(string Method, object Parameters)> calls) =>
            new([.. calls.Select(call => new JsonObject { ["method"] = call.Method, ["params"] = JsonSerializer.SerializeToNode(call.Parameters) })]);
        var configuration = new JsonObject
        {
            ["subsystems"] = new JsonArray(
                new JsonObject { ["subsystem"] = "bdev", ["config"] = List(create) },
                new JsonObject { ["subsystem"] = "nvmf", ["config"] = List(Calls().Concat(bdevs.Select((bdev, i) => Namespace(i + 1, bdev)))) }),
        };
        File.WriteAllText(file, configuration.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
    }

    /// <summary>The guest's command that connects with two I/O queues.</summary>
    /// <param name="options">More of <c>nvme connect</c>'s options.</param>
    public string Connect(string options = "") => $"nvme connect -t tcp -a {Address} -s {Port} -n {Nqn} --nr-io-queues=2 {options}";
}
