using System.Text;
using Spindle.Frontend.Nvmf.Rpc;
using Spindle.Frontend.Nvmf.Subsystems;
using Spindle.Frontend.Nvmf.Transport;
using Spindle.NvmfTests.Core.Bench;
using Spindle.Rpc;

namespace Spindle.NvmfTests.Core;

/// <summary>The RPCs behind their binder: codes, words and replies as SPDK's.</summary>
public class RpcTests
{
    private const string Nqn = CoreBench.Subsystem;

    [Fact]
    public async Task Errors_have_SPDKs_codes_and_words()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        SubsystemRpc subsystems = new(bench.Holder);
        await Fails(bench, -32603, "Unable to create subsystem bad", () => subsystems.Create(new() { Nqn = "bad" }));
        await Fails(bench, -32603, $"Unable to create subsystem {Nqn}", () => subsystems.Create(new() { Nqn = Nqn }));
        await Fails(bench, -32602, "Invalid SN", () => subsystems.Create(new() { Nqn = Nqn + "2", SerialNumber = new string('x', 21) }));
        await Fails(bench, -32602, "Invalid MN", () => subsystems.Create(new() { Nqn = Nqn + "2", ModelNumber = "tab\t" }));
        await Fails(bench, -32602, "Invalid cntlid range [5-4]", () => subsystems.Create(new() { Nqn = Nqn + "2", MinCntlid = 5, MaxCntlid = 4 }));
        await Fails(bench, -32602, "Invalid cntlid range [0-65519]", () => subsystems.Create(new() { Nqn = Nqn + "2", MinCntlid = 0 }));
        await Fails(bench, -32602, "Invalid max_write_zeroes_size_kib 3", () => subsystems.Create(new() { Nqn = Nqn + "2", MaxWriteZeroesSizeKib = 3 }));
        await Fails(bench, -32602, "Invalid parameters", () => subsystems.Create(new() { Nqn = Nqn + "2", Passthrough = true }));
        await Fails(bench, -32603, "Unable to find a target", () => subsystems.Create(new() { Nqn = Nqn + "2", TgtName = "other" }));
        await Fails(bench, -32602, "Invalid parameters", () => subsystems.Delete(new() { Nqn = "nqn.2026-11.io.spindle:none" }));
        await Fails(bench, -19, "No such device", () => Task.FromResult(subsystems.Get(new() { Nqn = "nqn.2026-11.io.spindle:none" })));

        TransportRpc transports = new(bench.Holder);
        await Fails(bench, -32602, "Invalid transport type 'PIGEON'", () => transports.Create(new() { Trtype = "PIGEON" }));
        await Fails(bench, -32603, "Transport type 'tcp' already exists", () => transports.Create(new() { Trtype = "tcp" }));
        await Fails(bench, -19, "No such device", () => Task.FromResult(transports.Get(new() { Trtype = "RDMA" })));

        NamespaceRpc namespaces = new(bench.Holder);
        await Fails(bench, -32602, "Invalid parameters", () => namespaces.Add(new() { Nqn = Nqn, Namespace = new() { BdevName = "None" } }));
        await Fails(bench, -32602, "namespace.nguid", () => namespaces.Add(new() { Nqn = Nqn, Namespace = new() { BdevName = "None", Nguid = "12" } }));
        await Fails(bench, -32602, "namespace.eui64", () => namespaces.Add(new() { Nqn = Nqn, Namespace = new() { BdevName = "None", Eui64 = "000000000000000G" } }));
        await Fails(bench, -32602, "namespace.ptpl_file", () => namespaces.Add(new() { Nqn = Nqn, Namespace = new() { BdevName = "None", PtplFile = "/f" } }));
        await Fails(bench, -32602, "nsid 9", () => namespaces.Remove(new() { Nqn = Nqn, Nsid = 9 }));

        ListenerRpc listeners = new(bench.Holder);
        await Fails(bench, -32602, "listen_address.trtype", () => listeners.Add(new() { Nqn = Nqn, ListenAddress = new() { Trtype = "X", Traddr = "a" } }));
        await Fails(bench, -32602, "listen_address.adrfam", () => listeners.Add(new() { Nqn = Nqn, ListenAddress = new() { Trtype = "TCP", Adrfam = "IPv5", Traddr = "a" } }));
        await Fails(bench, -32602, "Invalid parameters", () => listeners.Add(new() { Nqn = Nqn, ListenAddress = Address() }));
        await Fails(bench, -32602, "RDMA", () => listeners.Add(new() { Nqn = Nqn, ListenAddress = new() { Trtype = "RDMA", Traddr = "192.0.2.1", Trsvcid = "1" } }));
        await Fails(bench, -32602, "ana_state", () => listeners.Add(new() { Nqn = Nqn, AnaState = "good", ListenAddress = Address("4421") }));
        await Fails(bench, -32602, "secure_channel", () => listeners.Add(new() { Nqn = Nqn, SecureChannel = true, ListenAddress = Address("4421") }));
        await Fails(bench, -32602, "no listener", () => listeners.Remove(new() { Nqn = Nqn, ListenAddress = Address("4421") }));

        HostRpc hosts = new(bench.Holder);
        await Fails(bench, -32603, "Internal error", () => Task.FromResult(hosts.Add(new() { Nqn = Nqn, Host = "nobody" })));
        await Fails(bench, -32603, "Internal error", () => Task.FromResult(hosts.Remove(new() { Nqn = Nqn, Host = "nqn.2026-11.io.spindle:host" })));
        await Fails(bench, -32602, "psk", () => Task.FromResult(hosts.Add(new() { Nqn = Nqn, Host = "nqn.2026-11.io.spindle:host", Psk = "/f" })));
    }

    [Fact]
    public async Task What_is_there_is_shown_in_SPDKs_shape()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        TestBdev bdev = await bench.AddNamespaceAsync(new TestBdev("T0"));
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        string nguid = bdev.Uuid.ToString("N").ToUpperInvariant();
        await bench.RunAsync(async () =>
        {
            string subsystems = Json(new SubsystemRpc(bench.Holder).Get(new() { Nqn = Nqn }));
            Assert.Equal(
                $$"""[{"nqn":"{{Nqn}}","subtype":"NVMe","listen_addresses":[{"trtype":"TCP","adrfam":"IPv4","traddr":"192.0.2.1","trsvcid":"4420"}],"allow_any_host":true,"hosts":[]"""
                + $$""","serial_number":"00000000000000000000","model_number":"Spindle bdev Controller","max_namespaces":32,"passthrough":false,"min_cntlid":1,"max_cntlid":65519"""
                + $$""","namespaces":[{"nsid":1,"bdev_name":"T0","name":"T0","nguid":"{{nguid}}","uuid":"{{bdev.Uuid}}"}]}]""", subsystems);
            QueryRpc query = new(bench.Holder);
            Assert.Equal($$"""[{"cntlid":1,"cntrltype":"io","hostnqn":"{{host.HostNqn}}","hostid":"{{host.HostId}}","num_io_qpairs":1}]""",
                Json(query.GetControllers(new() { Nqn = Nqn })));
            string pairs = Json(await query.GetQueuePairs(new() { Nqn = Nqn }));
            Assert.Contains("""{"cntlid":1,"qid":1,"state":"enabled","thread":"nvmf_tgt_poll_group_00""", pairs);
            Assert.Contains("""listen_address":{"trtype":"TCP","adrfam":"IPv4","traddr":"192.0.2.1","trsvcid":"4420"},"peer_address":{""", pairs);
            Assert.Equal("""[{"address":{"trtype":"TCP","adrfam":"IPv4","traddr":"192.0.2.1","trsvcid":"4420"}}]""", Json(query.GetListeners(new() { Nqn = Nqn })));
            string statistics = Json(query.GetStats(new()));
            Assert.StartsWith("""{"tick_rate":""", statistics);
            Assert.Contains("""poll_groups":[{"name":"nvmf_tgt_poll_group_000","admin_qpairs":""", statistics);
            string transports = Json(new TransportRpc(bench.Holder).Get(new()));
            Assert.Equal("""[{"trtype":"TCP","max_queue_depth":128,"max_io_qpairs_per_ctrlr":127,"in_capsule_data_size":4096,"max_io_size":131072,"io_unit_size":131072"""
                + ""","max_aq_depth":128,"num_shared_buffers":511,"buf_cache_size":4294967295,"dif_insert_or_strip":false,"zcopy":false,"c2h_success":true,"sock_priority":0"""
                + ""","abort_timeout_sec":1,"ack_timeout":0,"data_wr_pool_size":0,"disable_command_passthru":false,"kas":100,"min_kato":10000}]""", transports);
        });
    }

    [Fact]
    public async Task Hosts_and_listeners_that_are_removed_are_disconnected()
    {
        await using CoreBench bench = await CoreBench.StartAsync();
        HostRpc hosts = new(bench.Holder);
        FakeHost host = await new FakeHost(bench).ConnectAsync();
        FakeHost other = await new FakeHost(bench) { HostNqn = "nqn.2026-11.io.spindle:other" }.ConnectAsync();
        await bench.RunAsync(() =>
        {
            hosts.Add(new() { Nqn = Nqn, Host = host.HostNqn });
            hosts.Remove(new() { Nqn = Nqn, Host = host.HostNqn });
            return Task.CompletedTask;
        });
        await Task.WhenAll(host.Admin.ClosedTask, host.Io[0].ClosedTask).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.False(other.Admin.ClosedTask.IsCompleted);
        await bench.RunAsync(() => new ListenerRpc(bench.Holder).Remove(new() { Nqn = Nqn, ListenAddress = Address() }));
        await Task.WhenAll(other.Admin.ClosedTask, other.Io[0].ClosedTask).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Single(bench.Transport.Listening);
    }

    [Fact]
    public async Task Saved_configuration_comes_in_an_order_that_loads()
    {
        await using CoreBench bench = await CoreBench.StartAsync(subsystem: new SubsystemOptions { AnaReporting = true, MaxNamespaces = 4 });
        await bench.AddNamespaceAsync(new TestBdev("T0"), 2);
        List<string> calls = [];
        await bench.RunAsync(() =>
        {
            NvmfSubsystem subsystem = bench.Target.FindSubsystem(Nqn)!;
            subsystem.AddHost("nqn.2026-11.io.spindle:host");
            subsystem.Listeners[0].SetAnaState(3, Spindle.Nvme.LogPages.AnaState.NonOptimized);
            SavedConfiguration.Write(bench.Holder, new ConfigRecorder(calls));
            return Task.CompletedTask;
        });
        Assert.Equal(
        [
            "nvmf_set_config", "nvmf_set_max_subsystems", "nvmf_set_crdt", "nvmf_create_transport", "nvmf_create_subsystem", "nvmf_subsystem_add_host",
            "nvmf_subsystem_add_ns", "nvmf_subsystem_add_listener", "nvmf_subsystem_listener_set_ana_state", "nvmf_subsystem_add_listener",
        ], calls.Select(call => call[..call.IndexOf(' ')]));
        Assert.Contains("\"anagrpid\":3", calls[8]);
        Assert.Contains("nqn.2014-08.org.nvmexpress.discovery", calls[9]);
    }

    [Theory]
    [InlineData("0x3", true)]
    [InlineData("[0-1]", true)]
    [InlineData("[1]", true)]
    [InlineData("0x8", false)]
    [InlineData("[", false)]
    [InlineData("0", false)]
    [InlineData("[1-0]", false)]
    [InlineData("0xfffffffffffffffffffffffff", false)]
    public void Core_masks_name_reactors_cores(string text, bool valid)
    {
        if (valid) Assert.NotEmpty(CoreMask.Parse(text, [0, 1])!);
        else Assert.Equal(-32602, Assert.Throws<RpcException>(() => CoreMask.Parse(text, [0, 1])).Code);
    }

    [Theory]
    [InlineData("match_any", "match_any")]
    [InlineData("address,svcid", "address,svcid")]
    [InlineData("svcid,transport", "transport,svcid")]
    [InlineData("match_any,svcid", null)]
    [InlineData("", null)]
    public void Discovery_filters(string text, string? formatted)
    {
        if (formatted is null) Assert.Throws<RpcException>(() => DiscoveryFilterText.Parse(text));
        else Assert.Equal(formatted, DiscoveryFilterText.Format(DiscoveryFilterText.Parse(text)));
    }

    private static ListenAddressMember Address(string service = "4420") => new() { Trtype = "tcp", Adrfam = "ipv4", Traddr = "192.0.2.1", Trsvcid = service };

    private static async Task Fails<T>(CoreBench bench, int code, string words, Func<Task<T>> call)
    {
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => bench.RunAsync(async () => { await call(); }));
        Assert.Equal(code, e.Code);
        Assert.Contains(words, e.Message);
    }

    private static string Json(IRpcResult result)
    {
        JsonText text = new();
        result.Write(text);
        return text.ToString();
    }

    internal sealed class ConfigRecorder(List<string> calls) : IConfigWriter
    {
        public void Call(string method, Action<IRpcWriter>? writeParameters = null)
        {
            JsonText text = new();
            text.BeginObject();
            writeParameters?.Invoke(text);
            text.EndObject();
            calls.Add($"{method} {text}");
        }
    }

    /// <summary>Writes compact JSON, good enough for names without escapes.</summary>
    private sealed class JsonText : IRpcWriter
    {
        private readonly StringBuilder _text = new();
        private bool _comma;

        public void BeginObject() => Open('{');
        public void EndObject() => Close('}');
        public void BeginArray() => Open('[');
        public void EndArray() => Close(']');
        public void Name(string name)
        {
            Value($"\"{name}\":");
            _comma = false;
        }
        public void String(string? value) => Value(value is null ? "null" : $"\"{value}\"");
        public void Boolean(bool value) => Value(value ? "true" : "false");
        public void Number(long value) => Value(value.ToString());
        public void Number(ulong value) => Value(value.ToString());
        public void Number(double value) => Value(value.ToString(System.Globalization.CultureInfo.InvariantCulture));
        public void Null() => Value("null");
        public override string ToString() => _text.ToString();

        private void Open(char c)
        {
            Value(c.ToString());
            _comma = false;
        }

        private void Close(char c)
        {
            _text.Append(c);
            _comma = true;
        }

        private void Value(string text)
        {
            if (_comma) _text.Append(',');
            _text.Append(text);
            _comma = true;
        }
    }
}
