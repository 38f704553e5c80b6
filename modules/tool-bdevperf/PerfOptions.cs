using System.Globalization;
using Spindle.Perf;
using static Spindle.Perf.PerfArguments;

namespace Spindle.Tool.Bdevperf;

/// <summary>The arguments of <c>spindle perf bdev</c>.</summary>
internal sealed class PerfOptions
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
          --seed N               of the random offsets (1)
          --json                 print JSON

        Latencies are from submission to completion, in microseconds. CPU is of the whole process; 100% is one core.
        """;

    public List<string> Bdevs { get; } = [];
    public List<PerfPattern> Patterns { get; } = [];
    public List<int> QueueDepths { get; } = [];
    public int Mix { get; private set; } = 50;
    public uint IoSize { get; private set; } = 4096;
    public int Threads { get; private set; } = 1;
    public TimeSpan Time { get; private set; } = TimeSpan.FromSeconds(3);
    public TimeSpan Warmup { get; private set; } = TimeSpan.FromSeconds(0.5);
    public bool Verify { get; private set; }
    public ulong Seed { get; private set; } = 1;
    public bool Json { get; private set; }
    public bool Help { get; private set; }

    /// <summary>Reads the arguments.</summary>
    /// <exception cref="FormatException">One does not fit; the message names it.</exception>
    public static PerfOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new PerfOptions();
        PerfArguments.Read(arguments, ["--verify", "--json", "--help", "-h"], options.Set);
        if (options.Patterns.Count == 0) options.Patterns.Add(PerfPattern.All.Single(p => p.Name == "randread"));
        if (options.QueueDepths.Count == 0) options.QueueDepths.Add(32);
        return options;
    }

    private void Set(string name, string value)
    {
        switch (name)
        {
            case "--bdev":
                Bdevs.AddRange(Parts(name, value));
                break;
            case "--rw":
                foreach (string part in Parts(name, value)) Patterns.Add(Pattern(name, part));
                break;
            case "--qd" or "--queue-depth":
                foreach (string part in Parts(name, value)) QueueDepths.Add(Number(name, part, 1, 65536));
                break;
            case "--mix":
                Mix = Number(name, value, 0, 100);
                break;
            case "--io-size":
                IoSize = Size(name, value);
                break;
            case "--threads":
                Threads = Number(name, value, 1, 1024);
                break;
            case "--time":
                Time = Seconds(name, value, 0.01);
                break;
            case "--warmup":
                Warmup = Seconds(name, value, 0);
                break;
            case "--seed":
                Seed = ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed) ? seed
                    : throw new FormatException($"--seed {value}: a number.");
                break;
            case "--verify":
                Verify = true;
                break;
            case "--json":
                Json = true;
                break;
            case "--help" or "-h":
                Help = true;
                break;
            default:
                throw new FormatException($"there is no option {name}.");
        }
    }
}
