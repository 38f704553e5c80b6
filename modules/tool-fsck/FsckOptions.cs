namespace Spindle.Tool.Fsck;

/// <summary>What is asked for, and the status that tells how it ended.</summary>
internal sealed class FsckOptions
{
    // As fsck(8) has them; they add up.
    public const int InOrder = 0, Corrected = 1, LeftUncorrected = 4, Failed = 8, Usage = 16, Cancelled = 32;

    public const string HelpText = """
        Usage: spindle fsck FILE [--repair] [--json]
               spindle fsck --bdev NAME (--config FILE | --create METHOD:JSON ...) [--repair] [--json]

        Checks a store of logical volumes, which no host may have open. It reads metadata only, and changes nothing unless told to.

          FILE                   a disk, or a file with its contents
          --bdev NAME            a bdev that --config or --create makes, for a store on anything else
          --repair               put right what can be put right, and save what can be saved of what is damaged
          --json                 print JSON
          --no-progress          do not say on standard error how far it is

        Exit status: 0 in order; 1 there was something wrong, and it is put right; 4 something is wrong; 8 it could not be checked; 16 wrong usage; 32 interrupted.
        """;

    public string Bdev { get; private set; } = "";
    public string Name { get; private set; } = "";
    public bool Repair { get; private set; }
    public bool Json { get; private set; }
    public bool Progress { get; private set; } = true;
    public bool Help { get; private set; }

    /// <exception cref="FormatException">An argument makes no sense; the message names it.</exception>
    public static FsckOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new FsckOptions();
        for (int i = 0; i < arguments.Count; i++)
        {
            switch (arguments[i])
            {
                case "--repair": options.Repair = true; break;
                case "--json": options.Json = true; break;
                case "--no-progress": options.Progress = false; break;
                case "--help" or "-h" or "-?": options.Help = true; break;
                case "--bdev" or "--called" when i + 1 == arguments.Count: throw new FormatException($"{arguments[i]} needs a value.");
                case "--bdev": options.Bdev = arguments[++i]; break;
                case "--called": options.Name = arguments[++i]; break;
                default: throw new FormatException($"'{arguments[i]}' is no option.");
            }
        }
        if (options.Bdev.Length == 0 && !options.Help) throw new FormatException("name a disk or a file, or a bdev by --bdev.");
        if (options.Name.Length == 0) options.Name = options.Bdev;
        return options;
    }
}
