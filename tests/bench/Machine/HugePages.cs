namespace Spindle.Bench.Machine;

/// <summary>The kernel's pool of 2 MiB pages.</summary>
public static class HugePages
{
    private const string Pool = "/proc/sys/vm/nr_hugepages";

    /// <summary>MiB not in use.</summary>
    public static int FreeMebibytes()
    {
        long free = Line("HugePages_Free"), kib = Line("Hugepagesize");
        return (int)(free * kib / 1024);
    }

    /// <summary>Pages in the pool.</summary>
    public static long Reserved() => Line("HugePages_Total");

    /// <summary>Tries to have so many pages in the pool, and tells what came of it in a sentence.</summary>
    public static string Reserve(int pages)
    {
        if (Reserved() >= pages) return $"{Reserved()} huge pages are reserved";
        string remedy = $"as root: echo {pages} > {Pool}";
        try
        {
            File.WriteAllText(Pool, $"{pages}\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"no huge pages could be reserved ({e.Message}); both sides run without. For comparable figures, {remedy}";
        }
        return Reserved() >= pages ? $"reserved {pages} huge pages (give them back: echo 0 > {Pool})"
            : $"the kernel gave {Reserved()} of {pages} huge pages; free memory, or reserve them at boot ({remedy})";
    }

    private static long Line(string name)
    {
        try
        {
            foreach (string line in File.ReadLines("/proc/meminfo"))
                if (line.StartsWith(name + ":", StringComparison.Ordinal)) return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
        }
        catch (IOException)
        {
        }
        return 0;
    }
}
