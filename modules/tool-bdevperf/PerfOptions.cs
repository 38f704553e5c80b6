using System.Globalization;

namespace Spindle.Tool.Bdevperf;

/// <summary>What to do in which order.</summary>
/// <param name="Name">As on the command line.</param>
/// <param name="IsRandom">Offsets at random, else one after another.</param>
/// <param name="ReadPercent">Of all I/Os; null: as told by --mix.</param>
internal sealed record PerfPattern(string Name, bool IsRandom, int? ReadPercent)
{
    public static readonly PerfPattern[] All =
    [
        new("read", false, 100), new("write", false, 0), new("rw", false, null),
        new("randread", true, 100), new("randwrite", true, 0), new("randrw", true, null),
    ];
}

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
        for (int i = 0; i < arguments.Count; i++)
        {
            string argument = arguments[i], name = argument, value = "";
            int equals = argument.IndexOf('=', StringComparison.Ordinal);
            if (argument.StartsWith("--", StringComparison.Ordinal) && equals > 0)
            {
                name = argument[..equals];
                value = argument[(equals + 1)..];
            }
            if (name is "--verify" or "--json" or "--help" or "-h")
            {
                if (equals > 0) throw new FormatException($"{name} takes no value.");
            }
            else if (equals < 0)
            {
                if (!name.StartsWith("--", StringComparison.Ordinal)) throw new FormatException($"'{argument}' is not an option.");
                if (i + 1 == arguments.Count) throw new FormatException($"{name} needs a value.");
                value = arguments[++i];
            }
            options.Set(name, value);
        }
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
                foreach (string part in Parts(name, value))
                {
                    Patterns.Add(Array.Find(PerfPattern.All, p => p.Name == part) ??
                        throw new FormatException($"--rw {part}: one of {string.Join(", ", PerfPattern.All.Select(p => p.Name))}."));
                }
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

    private static string[] Parts(string name, string value)
    {
        string[] parts = value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return parts.Length > 0 ? parts : throw new FormatException($"{name} needs a value.");
    }

    private static int Number(string name, string value, int min, int max) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= min && number <= max ? number
            : throw new FormatException($"{name} {value}: a number from {min} to {max}.");

    private static TimeSpan Seconds(string name, string value, double min) =>
        double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) && seconds >= min && seconds <= 86400
            ? TimeSpan.FromSeconds(seconds)
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"{name} {value}: seconds, from {min} to 86400."));

    private static uint Size(string name, string value)
    {
        const uint largest = 64 << 20;
        string digits = value.TrimEnd('B', 'b');
        int shift = digits.Length == 0 ? 0 : char.ToUpperInvariant(digits[^1]) switch { 'K' => 10, 'M' => 20, _ => 0 };
        if (shift > 0) digits = digits[..^1];
        if (!uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) || number == 0 || (ulong)number << shift > largest)
            throw new FormatException($"{name} {value}: bytes, like 4096, 4K or 1M, up to 64M.");
        return number << shift;
    }
}
