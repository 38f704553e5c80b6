using System.Runtime.InteropServices;

namespace Spindle.Bench.Processes;

/// <summary>What a process uses, and signals to it.</summary>
public static partial class ProcessUsage
{
    private const int SIGCONT = 18, SIGSTOP = 19, SIGTERM = 15;

    /// <summary>Processor time of all its threads, seconds (proc_pid_stat(5), utime and stime in clock ticks of 10 ms).</summary>
    public static double CpuSeconds(int pid)
    {
        string stat = File.ReadAllText($"/proc/{pid}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return (double.Parse(fields[11]) + double.Parse(fields[12])) / 100;
    }

    /// <summary>Resident memory without huge pages of a pool, and those pages, both in bytes (proc_pid_status(5)).</summary>
    public static (double Rss, double HugePages) Memory(int pid)
    {
        double rss = 0, huge = 0;
        foreach (string line in File.ReadLines($"/proc/{pid}/status"))
        {
            if (line.StartsWith("VmRSS:", StringComparison.Ordinal)) rss = Kibibytes(line);
            if (line.StartsWith("HugetlbPages:", StringComparison.Ordinal)) huge = Kibibytes(line);
        }
        return (rss, huge);
    }

    public static void Stop(int pid) => _ = kill(pid, SIGSTOP);

    public static void Continue(int pid) => _ = kill(pid, SIGCONT);

    public static void Terminate(int pid) => _ = kill(pid, SIGTERM);

    private static double Kibibytes(string line) => 1024 * double.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1]);

    [LibraryImport("libc")]
    private static partial int kill(int pid, int signal);
}
