using Spindle.Perf;
using static Spindle.Perf.PerfArguments;

namespace Spindle.Tool.Bdevperf;

/// <summary>The arguments of <c>spindle perf bdev</c>.</summary>
internal sealed class PerfOptions : PerfLoadOptions
{
    public const string HelpText = """
        Usage: spindle perf bdev [--config FILE | --create METHOD:JSON ...] [options]

        Puts load on bdevs of this process and measures it.

          --bdev NAME[,NAME]     bdevs to measure, one after another (all of them)
          --rw PATTERN[,...]     read, write, rw, randread, randwrite, randrw (randread)
          --mix PERCENT          reads of rw and randrw (50)
          --io-size SIZE         bytes of an I/O; 4K, 128K, 1M (4K)
          --qd N[,N], --queue-depth N[,N]
                                 I/Os outstanding on each thread (32)
          --threads N            storage threads, on the cores in turn (1)
          --time SECONDS         measure for so long (3)
          --warmup SECONDS       run so long before (0.5)
          --verify               write, read back and compare each I/O, at random offsets unless --rw names a sequential one
          --hide-metadata        of a bdev with metadata: move the data alone, the bdev layer makes and verifies protection information
          --seed N               of the random offsets (1)
          --json                 print JSON

        Latencies are from submission to completion, in microseconds. CPU is of the whole process; 100% is one core.
        """;

    public List<string> Bdevs { get; } = [];
    public int Threads { get; private set; } = 1;
    public bool Verify { get; private set; }
    public bool HideMetadata { get; private set; }

    /// <inheritdoc/>
    protected override int MaxQueueDepth => 65536;

    /// <summary>Reads the arguments.</summary>
    /// <exception cref="FormatException">One does not fit; the message names it.</exception>
    public static PerfOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new PerfOptions();
        PerfArguments.Read(arguments, ["--verify", "--hide-metadata", "--json", "--help", "-h"], options.Set);
        options.SetDefaults();
        return options;
    }

    private void Set(string name, string value)
    {
        switch (name)
        {
            case "--bdev":
                Bdevs.AddRange(Parts(name, value));
                break;
            case "--threads":
                Threads = Number(name, value, 1, 1024);
                break;
            case "--hide-metadata":
                HideMetadata = true;
                break;
            case "--verify":
                Verify = true;
                break;
            default:
                SetCommon(name, value);
                break;
        }
    }
}
