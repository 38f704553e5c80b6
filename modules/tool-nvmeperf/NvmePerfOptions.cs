using System.Net;
using Spindle.Nvme.Tcp;
using Spindle.Perf;
using static Spindle.Perf.PerfArguments;

namespace Spindle.Tool.NvmePerf;

/// <summary>The arguments of <c>spindle perf nvme</c>.</summary>
internal sealed class NvmePerfOptions : PerfLoadOptions
{
    public const string HelpText = """
        Usage: spindle perf nvme --nqn NQN [--address HOST:PORT] [options]

        Connects to an NVMe/TCP target, puts load on a namespace and measures it. Writes destroy what is on the namespace.

          --address HOST:PORT    the target (127.0.0.1:4420)
          --nqn NQN              the subsystem
          --hostnqn NQN          who asks (nqn.2026-11.io.spindle:perf)
          --nsid N               the namespace (1)
          --rw PATTERN[,...]     read, write, rw, randread, randwrite, randrw (randread)
          --mix PERCENT          reads of rw and randrw (50)
          --io-size SIZE         bytes of an I/O; 4K, 128K (4K)
          --qd N[,N], --queue-depth N[,N]
                                 commands outstanding on each queue, up to 1023 (32)
          --queues N             I/O queues, each a connection, on the cores in turn (1)
          --header-digest        CRC-32C on headers
          --data-digest          CRC-32C on data
          --time SECONDS         measure for so long (3)
          --warmup SECONDS       run so long before (0.5)
          --seed N               of the random offsets (1)
          --json                 print JSON

        Latencies are from submission to completion, in microseconds. CPU is of the whole process; 100% is one core.
        """;

    public IPEndPoint Address { get; private set; } = new(IPAddress.Loopback, PduLayout.DefaultPort);
    public string Nqn { get; private set; } = "";
    public string HostNqn { get; private set; } = "nqn.2026-11.io.spindle:perf";
    public uint Nsid { get; private set; } = 1;
    public int Queues { get; private set; } = 1;
    public bool HeaderDigest { get; private set; }
    public bool DataDigest { get; private set; }

    /// <inheritdoc/>
    protected override int MaxQueueDepth => 1023;

    /// <summary>Reads the arguments.</summary>
    /// <exception cref="FormatException">One does not fit; the message names it.</exception>
    public static NvmePerfOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new NvmePerfOptions();
        Read(arguments, ["--json", "--header-digest", "--data-digest", "--help", "-h"], options.Set);
        if (!options.Help && options.Nqn.Length == 0) throw new FormatException("--nqn is needed: the subsystem to connect to.");
        options.SetDefaults();
        return options;
    }

    private void Set(string name, string value)
    {
        switch (name)
        {
            case "--address":
                Address = IPEndPoint.TryParse(value, out var address) ? (address.Port == 0 ? new IPEndPoint(address.Address, PduLayout.DefaultPort) : address)
                    : throw new FormatException($"--address {value}: an IP address and a port, like 127.0.0.1:4420.");
                break;
            case "--nqn":
                Nqn = value;
                break;
            case "--hostnqn":
                HostNqn = value;
                break;
            case "--nsid":
                Nsid = (uint)Number(name, value, 1, int.MaxValue);
                break;
            case "--queues":
                Queues = Number(name, value, 1, 1024);
                break;
            case "--header-digest":
                HeaderDigest = true;
                break;
            case "--data-digest":
                DataDigest = true;
                break;
            default:
                SetCommon(name, value);
                break;
        }
    }
}
