using System.Globalization;

namespace Spindle.Bench.Statistics;

/// <summary>Numbers as people read them, the same on every machine.</summary>
public static class Numbers
{
    /// <summary>Thousands separated from a thousand on, else three significant digits or so.</summary>
    public static string Short(double value) => Math.Abs(value) switch
    {
        >= 1000 => value.ToString("N0", CultureInfo.InvariantCulture),
        >= 100 => value.ToString("0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("0.#", CultureInfo.InvariantCulture),
        >= 1 => value.ToString("0.##", CultureInfo.InvariantCulture),
        _ => value.ToString("0.###", CultureInfo.InvariantCulture),
    };

    /// <summary>A ratio: always two digits behind the point, so that columns can be compared.</summary>
    public static string Ratio(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);

    /// <summary>For SVG and other formats that programs read.</summary>
    public static string Plain(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);
}
