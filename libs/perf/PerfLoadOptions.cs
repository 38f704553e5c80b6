namespace Spindle.Perf;

/// <summary>The options that every load generator has; each adds its own.</summary>
public abstract class PerfLoadOptions
{
    /// <summary>Patterns, one run each.</summary>
    public List<PerfPattern> Patterns { get; } = [];

    /// <summary>Queue depths, one run each.</summary>
    public List<int> QueueDepths { get; } = [];

    /// <summary>Reads of mixed patterns, percent.</summary>
    public int Mix { get; private set; } = 50;

    /// <summary>Bytes of an I/O.</summary>
    public uint IoSize { get; private set; } = 4096;

    /// <summary>How long to measure.</summary>
    public TimeSpan Time { get; private set; } = TimeSpan.FromSeconds(3);

    /// <summary>How long to run before.</summary>
    public TimeSpan Warmup { get; private set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>Of the random offsets.</summary>
    public ulong Seed { get; private set; } = 1;

    /// <summary>Print JSON.</summary>
    public bool Json { get; private set; }

    /// <summary>Print the help.</summary>
    public bool Help { get; private set; }

    /// <summary>The deepest queue there may be.</summary>
    protected abstract int MaxQueueDepth { get; }

    /// <summary>Takes an option of these.</summary>
    /// <exception cref="FormatException">Its value does not fit, or there is no such option.</exception>
    protected void SetCommon(string name, string value)
    {
        switch (name)
        {
            case "--rw":
                foreach (string part in PerfArguments.Parts(name, value)) Patterns.Add(PerfArguments.Pattern(name, part));
                break;
            case "--qd" or "--queue-depth":
                foreach (string part in PerfArguments.Parts(name, value)) QueueDepths.Add(PerfArguments.Number(name, part, 1, MaxQueueDepth));
                break;
            case "--mix":
                Mix = PerfArguments.Number(name, value, 0, 100);
                break;
            case "--io-size":
                IoSize = PerfArguments.Size(name, value);
                break;
            case "--time":
                Time = PerfArguments.Seconds(name, value, 0.01);
                break;
            case "--warmup":
                Warmup = PerfArguments.Seconds(name, value, 0);
                break;
            case "--seed":
                Seed = ulong.TryParse(value, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out ulong seed) ? seed
                    : throw new FormatException($"--seed {value}: a number.");
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

    /// <summary>Fills in what was not given.</summary>
    protected void SetDefaults()
    {
        if (Patterns.Count == 0) Patterns.Add(PerfPattern.All.Single(p => p.Name == "randread"));
        if (QueueDepths.Count == 0) QueueDepths.Add(32);
    }
}
