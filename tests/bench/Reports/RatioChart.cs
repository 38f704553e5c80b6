using System.Text;
using System.Xml.Linq;
using Spindle.Bench.Contenders;
using Spindle.Bench.Runs;
using Spindle.Bench.Statistics;

namespace Spindle.Bench.Reports;

/// <summary>A bar chart as SVG: for each scenario a horizontal bar for the ratio to the peer (or, without a peer, for the figure), with its interval as a line
/// over the bar's end and the bar to be met as a mark. It has a title and a description for those who do not see it, and colours that also differ in lightness.</summary>
public static class RatioChart
{
    private const int Width = 860, Left = 260, Right = 120, RowHeight = 24, Top = 48, Bottom = 40;

    /// <summary>Draws scenarios of one metric.</summary>
    /// <param name="title">What is shown.</param>
    /// <param name="results">A row each; those without a figure are left out.</param>
    /// <param name="metric">Of which figure; null: each scenario's primary one.</param>
    /// <param name="bars">What is to be reached.</param>
    /// <returns>The SVG, or null when there is nothing to draw.</returns>
    public static string? Draw(string title, IReadOnlyList<ScenarioResult> results, Metric? metric, Bars bars)
    {
        bool ratios = results.Any(result => result.Ratio(metric ?? result.Primary) is not null);
        var rows = results.Select(result => (Result: result, Metric: metric ?? result.Primary))
            .Select(row => (row.Result, row.Metric, Value: ratios ? row.Result.Ratio(row.Metric) : row.Result.Of(Contender.Spindle, row.Metric)))
            .Where(row => row.Value is not null).ToList();
        if (rows.Count == 0) return null;
        double largest = rows.Max(row => Math.Max(row.Value!.High, row.Value.Median));
        if (ratios) largest = Math.Min(Math.Max(largest, 1.2), 4);
        double step = Step(largest), end = Math.Ceiling(largest / step) * step;
        int height = Top + rows.Count * RowHeight + Bottom;
        double X(double value) => Left + (Width - Left - Right) * Math.Clamp(value / end, 0, 1);

        XNamespace svg = "http://www.w3.org/2000/svg";
        XElement Line(double x1, double y1, double x2, double y2, string colour, double width = 1) => new(svg + "line",
            new XAttribute("x1", Numbers.Plain(x1)), new XAttribute("y1", Numbers.Plain(y1)), new XAttribute("x2", Numbers.Plain(x2)), new XAttribute("y2", Numbers.Plain(y2)),
            new XAttribute("stroke", colour), new XAttribute("stroke-width", Numbers.Plain(width)));
        XElement Text(double x, double y, string anchor, string text, string colour = "#222") => new(svg + "text",
            new XAttribute("x", Numbers.Plain(x)), new XAttribute("y", Numbers.Plain(y)), new XAttribute("text-anchor", anchor), new XAttribute("fill", colour), text);

        var root = new XElement(svg + "svg", new XAttribute("viewBox", $"0 0 {Width} {height}"), new XAttribute("width", Width), new XAttribute("height", height),
            new XAttribute("role", "img"), new XAttribute("aria-labelledby", "title description"),
            new XAttribute("font-family", "system-ui, sans-serif"), new XAttribute("font-size", 12),
            new XElement(svg + "title", new XAttribute("id", "title"), title),
            new XElement(svg + "desc", new XAttribute("id", "description"), Description(rows.Select(row => (row.Result.Name, row.Metric, row.Value!)), ratios)),
            new XElement(svg + "rect", new XAttribute("width", Width), new XAttribute("height", height), new XAttribute("fill", "#fff")),
            new XElement(svg + "text", new XAttribute("x", 12), new XAttribute("y", 24), new XAttribute("font-size", 15), new XAttribute("font-weight", "bold"), new XAttribute("fill", "#111"), title));
        for (double tick = 0; tick <= end + step / 2; tick += step)
        {
            root.Add(Line(X(tick), Top - 6, X(tick), height - Bottom, "#ddd"));
            root.Add(Text(X(tick), height - Bottom + 16, "middle", Numbers.Short(tick), "#555"));
        }
        for (int i = 0; i < rows.Count; i++)
        {
            var (result, rowMetric, value) = rows[i];
            double y = Top + i * RowHeight, middle = y + RowHeight / 2.0 - 2;
            var judged = result.Judge(bars, rowMetric);
            root.Add(Text(Left - 8, middle + 4, "end", result.Name));
            root.Add(new XElement(svg + "rect", new XAttribute("x", Left), new XAttribute("y", Numbers.Plain(y + 2)), new XAttribute("width", Numbers.Plain(X(value!.Median) - Left)),
                new XAttribute("height", RowHeight - 8), new XAttribute("fill", Colour(judged?.Verdict))));
            root.Add(Line(X(value.Low), middle, X(value.High), middle, "#111", 1.5), Line(X(value.Low), middle - 4, X(value.Low), middle + 4, "#111", 1.5),
                Line(X(value.High), middle - 4, X(value.High), middle + 4, "#111", 1.5));
            if (judged is { Bar: { } bar } && bar.Ratio is not null == ratios) root.Add(Line(X(bar.Value), y, X(bar.Value), y + RowHeight - 4, "#c00", 2));
            root.Add(Text(Width - Right + 8, middle + 4, "start", ratios ? $"{Numbers.Ratio(value.Median)} ×" : $"{Numbers.Short(value.Median)} {rowMetric.Unit}"));
        }
        root.Add(Text(Left, height - 6, "start", (ratios ? "Spindle / peer, median of pairs" : "median of runs") + "; black: interval; red: what is to be reached", "#555"));
        return new StringBuilder().Append(root).Append('\n').ToString();
    }

    private static string Description(IEnumerable<(string Name, Metric Metric, Interval Value)> rows, bool ratios) => string.Join("; ", rows.Select(row => ratios
        ? $"{row.Name}: {Numbers.Ratio(row.Value.Median)} times the peer, interval {Numbers.Ratio(row.Value.Low)} to {Numbers.Ratio(row.Value.High)}"
        : $"{row.Name}: {Numbers.Short(row.Value.Median)} {row.Metric.Unit}, interval {Numbers.Short(row.Value.Low)} to {Numbers.Short(row.Value.High)}"));

    private static string Colour(Verdict? verdict) => verdict switch
    {
        Verdict.Met => "#2c7fb8",
        Verdict.Missed => "#fdae61",
        Verdict.Straddles => "#a6cee3",
        _ => "#bbb",
    };

    // 1, 2 or 5 times a power of ten, for four to ten ticks.
    private static double Step(double largest)
    {
        if (largest <= 0) return 1;
        double power = Math.Pow(10, Math.Floor(Math.Log10(largest)));
        return (largest / power) switch { <= 2 => power / 5, <= 5 => power / 2, _ => power };
    }
}
