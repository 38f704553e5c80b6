using Spindle.Bench;
using Spindle.Bench.Contenders;
using Spindle.Bench.Peer;
using Spindle.Bench.Statistics;

namespace Spindle.PerformanceTests.Harness;

public sealed class PeerOutputTests
{
    // Lines as a run on this project's machine printed them; the table is overwritten by carriage returns.
    private const string Bdevperf =
        "Running I/O for 1 seconds...\n\r  9107293.00 IOPS, 35575.36 MiB/s\n" +
        "                                                                                                  Latency(us)\n" +
        "\r Device Information          : runtime(s)       IOPS      MiB/s     Fail/s     TO/s    Average        min        max\n" +
        "Job: Bench0 (Core Mask 0x2, workload: randread, depth: 32, IO size: 4096)\n" +
        "\t Bench0              :       1.00 9107293.12   35575.36       0.00     0.00       3.46       1.10     911.87\n" +
        "\r ===================================================================================================================\n" +
        "\r Total                       :            9107293.12   35575.36       0.00     0.00       3.46       1.10     911.87\n";

    private const string Client =
        "Initializing NVMe Controllers\nAttached to NVMe over Fabrics controller at 127.0.0.1:4420: nqn.2026-11.io.spindle:bench\n" +
        "========================================================\n" +
        "                                                                                                               Latency(us)\n" +
        "Device Information                                                       :       IOPS      MiB/s    Average        min        max\n" +
        "TCP  (addr:127.0.0.1 subnqn:nqn.2026-11.io.spindle:bench) NSID 1 from core  1:  258746.00    1010.73     123.45      31.02    5301.11\n" +
        "========================================================\n" +
        "Total                                                                    :  258746.00    1010.73     123.45      31.02    5301.11\n\n" +
        "Summary latency data for TCP  (addr:127.0.0.1 subnqn:nqn.2026-1 from core 1:\n" +
        "=================================================================================\n" +
        "  1.00000% :    52.236us\n 10.00000% :    70.312us\n 50.00000% :    92.393us\n 90.00000% :   200.001us\n 99.00000% :   401.455us\n 99.50000% :   600.000us\n" +
        " 99.90000% :  4173.123us\n 99.99000% :  5299.999us\n";

    [Fact]
    public void Bdevperf_is_read_from_its_last_total()
    {
        var sample = BdevperfOutput.Parse(Bdevperf, "bdevperf");
        Assert.Equal(9107293.12, sample[Metric.Iops]);
        Assert.Equal(3.46, sample[Metric.Average]);
        Assert.Null(sample[Metric.P99]);
    }

    [Fact]
    public void Bdevperf_with_failed_IOs_is_no_result() =>
        Assert.Contains("I/Os failed", Assert.Throws<BenchException>(() => BdevperfOutput.Parse(Bdevperf.Replace("       0.00     0.00       3.46", "      12.00     0.00       3.46"), "x")).Message);

    [Theory]
    [InlineData("")]
    [InlineData("EAL: no free hugepages\nexit")]
    public void Output_without_a_total_is_shown(string output)
    {
        Assert.Contains(output, Assert.Throws<BenchException>(() => BdevperfOutput.Parse(output, "the command")).Message);
        Assert.Contains("the command", Assert.Throws<BenchException>(() => NvmePerfOutput.Parse(output, "the command")).Message);
    }

    [Fact]
    public void Client_is_read_with_its_latencies()
    {
        var sample = NvmePerfOutput.Parse(Client, "client");
        Assert.Equal(258746, sample[Metric.Iops]);
        Assert.Equal(123.45, sample[Metric.Average]);
        Assert.Equal((92.393, 401.455, 4173.123), (sample[Metric.P50], sample[Metric.P99], sample[Metric.P999]));
    }

    [Fact]
    public void Of_several_cores_the_worst_latency_counts() =>
        Assert.Equal(500.5, NvmePerfOutput.Parse(Client + "Summary latency data for TCP from core 0:\n 99.00000% :   500.500us\n", "client")[Metric.P99]);

    [Fact]
    public void A_client_that_did_nothing_is_no_result() =>
        Assert.Throws<BenchException>(() => NvmePerfOutput.Parse("Total  :       0.00       0.00       0.00       0.00       0.00\n", "client"));

    [Fact]
    public void Spindles_own_output_is_read()
    {
        var sample = SpindlePerfOutput.Parse("""{ "results": [ { "iops": 1000.5, "average_us": 2, "p50_us": 1, "p99_us": 3, "p99_9_us": 4, "cpu_percent": 99, "collections": 0, "allocated_bytes": 8 } ], "failures": [] }""", "x");
        Assert.Equal((1000.5, 4.0, 8.0), (sample[Metric.Iops], sample[Metric.P999], sample[Metric.Allocated]));
    }

    [Fact]
    public void Spindles_failure_is_told() =>
        Assert.Contains("no such bdev", Assert.Throws<BenchException>(() => SpindlePerfOutput.Parse("""{ "results": [], "failures": [ { "reason": "no such bdev" } ] }""", "x")).Message);

    [Fact]
    public void Something_else_than_JSON_is_shown() => Assert.Contains("spindle: oops", Assert.Throws<BenchException>(() => SpindlePerfOutput.Parse("spindle: oops", "x")).Message);

    [Fact]
    public void A_folder_that_is_no_build_tree_is_refused_by_name() =>
        Assert.Contains("bdevperf", Assert.Throws<BenchException>(() => PeerTools.Open(Path.GetTempPath())).Message);
}
