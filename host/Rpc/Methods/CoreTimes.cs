using System.Globalization;
using System.Numerics;

namespace Spindle.Host.Rpc.Methods;

/// <summary>What the system has done on a core, in USER_HZ ticks (proc(5), /proc/stat).</summary>
internal readonly record struct CoreTimes(ulong User, ulong System, ulong Irq)
{
    /// <summary>The times of all cores; empty where the system does not tell.</summary>
    public static IReadOnlyDictionary<int, CoreTimes> Read()
    {
        var result = new Dictionary<int, CoreTimes>();
        foreach (var line in Lines("/proc/stat"))
        {
            // cpuN user nice system idle iowait irq softirq …
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length >= 8 && fields[0].StartsWith("cpu", StringComparison.Ordinal) && int.TryParse(fields[0].AsSpan(3), NumberStyles.None, CultureInfo.InvariantCulture, out var core))
            {
                result[core] = new CoreTimes(Number(fields[1]), Number(fields[3]), Number(fields[6]));
            }
        }
        return result;
    }

    static ulong Number(string field) => ulong.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0;

    static IEnumerable<string> Lines(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllLines(path) : [];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>The system's ids of the reactors' threads, by core; they are found by their names.</summary>
    public static IReadOnlyDictionary<int, int> ReactorThreadIds()
    {
        const string tasks = "/proc/self/task";
        const string prefix = "reactor_";
        var result = new Dictionary<int, int>();
        if (!Directory.Exists(tasks))
        {
            return result;
        }
        foreach (var folder in Directory.EnumerateDirectories(tasks))
        {
            var name = Lines(Path.Combine(folder, "comm")).FirstOrDefault() ?? "";
            if (name.StartsWith(prefix, StringComparison.Ordinal) && int.TryParse(name.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var core)
                && int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var tid))
            {
                result[core] = tid;
            }
        }
        return result;
    }

    /// <summary>A core as a mask in hexadecimal, as SPDK writes it: core 5 is "20".</summary>
    public static string Mask(int core) => (BigInteger.One << core).ToString("x", CultureInfo.InvariantCulture).TrimStart('0');
}
