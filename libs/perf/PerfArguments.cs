using System.Globalization;

namespace Spindle.Perf;

/// <summary>Reads the arguments of a load generator. What does not fit is a <see cref="FormatException"/> that names the option.</summary>
public static class PerfArguments
{
    /// <summary>Gives each option with its value to <paramref name="set"/>: <c>--name value</c>, <c>--name=value</c>, or a flag without one.</summary>
    public static void Read(IReadOnlyList<string> arguments, string[] flags, Action<string, string> set)
    {
        for (int i = 0; i < arguments.Count; i++)
        {
            string argument = arguments[i], name = argument, value = "";
            int equals = argument.IndexOf('=', StringComparison.Ordinal);
            if (argument.StartsWith("--", StringComparison.Ordinal) && equals > 0)
            {
                name = argument[..equals];
                value = argument[(equals + 1)..];
            }
            if (Array.IndexOf(flags, name) >= 0)
            {
                if (equals > 0) throw new FormatException($"{name} takes no value.");
            }
            else if (equals < 0)
            {
                if (!name.StartsWith("--", StringComparison.Ordinal)) throw new FormatException($"'{argument}' is not an option.");
                if (i + 1 == arguments.Count) throw new FormatException($"{name} needs a value.");
                value = arguments[++i];
            }
            set(name, value);
        }
    }

    /// <summary>A pattern by its name.</summary>
    public static PerfPattern Pattern(string name, string value) => Array.Find(PerfPattern.All, p => p.Name == value) ??
        throw new FormatException($"{name} {value}: one of {string.Join(", ", PerfPattern.All.Select(p => p.Name))}.");

    /// <summary>A list with commas.</summary>
    public static string[] Parts(string name, string value)
    {
        string[] parts = value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return parts.Length > 0 ? parts : throw new FormatException($"{name} needs a value.");
    }

    /// <summary>A number within bounds.</summary>
    public static int Number(string name, string value, int min, int max) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= min && number <= max ? number
            : throw new FormatException($"{name} {value}: a number from {min} to {max}.");

    /// <summary>A time in seconds.</summary>
    public static TimeSpan Seconds(string name, string value, double min) =>
        double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) && seconds >= min && seconds <= 86400
            ? TimeSpan.FromSeconds(seconds)
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"{name} {value}: seconds, from {min} to 86400."));

    /// <summary>A size in bytes, with K or M.</summary>
    public static uint Size(string name, string value)
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
