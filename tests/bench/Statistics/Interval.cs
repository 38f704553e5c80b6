namespace Spindle.Bench.Statistics;

/// <summary>A median with its confidence interval. The interval is made of order statistics, which assumes nothing about how the values are
/// distributed: the number of values below the true median is binomial with p = 1/2, so that the k-th smallest and the k-th largest of n
/// enclose it with probability 1 − 2·P(B ≤ k−1). The largest k that gives 95% is taken; with fewer than 6 values not even the smallest and
/// the largest do, and <see cref="Coverage"/> says what they give.</summary>
/// <param name="Median">Of the values.</param>
/// <param name="Low">The interval's lower end.</param>
/// <param name="High">The interval's upper end.</param>
/// <param name="Coverage">The probability with which such an interval holds the true median, 0 to 1.</param>
/// <param name="Min">The smallest value.</param>
/// <param name="Max">The largest.</param>
/// <param name="Count">How many values.</param>
public sealed record Interval(double Median, double Low, double High, double Coverage, double Min, double Max, int Count)
{
    /// <summary>The wanted probability.</summary>
    public const double Confidence = 0.95;

    /// <summary>True when there are enough values for <see cref="Confidence"/>.</summary>
    public bool IsSound => Coverage >= Confidence;

    /// <summary>Of at least one value.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static Interval Of(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        if (sorted.Length == 0) throw new ArgumentException("A median needs a value.", nameof(values));
        int rank = 1;
        while (2 * (rank + 1) <= sorted.Length && CoverageOf(sorted.Length, rank + 1) >= Confidence) rank++;
        return new Interval(MedianOf(sorted), sorted[rank - 1], sorted[^rank], CoverageOf(sorted.Length, rank), sorted[0], sorted[^1], sorted.Length);
    }

    private static double MedianOf(double[] sorted)
    {
        int half = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }

    /// <summary>The coverage of the interval from the k-th smallest to the k-th largest of n values.</summary>
    internal static double CoverageOf(int count, int rank)
    {
        // P(B <= rank - 1) for B ~ Binomial(count, 1/2), term by term; C(n,i) / 2^n stays below 1.
        double term = Math.Pow(0.5, count), tail = 0;
        for (int i = 0; i < rank; i++)
        {
            tail += term;
            term *= (double)(count - i) / (i + 1);
        }
        return Math.Max(0, 1 - 2 * tail);
    }
}
