using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Spindle.Bench.Contenders;
using Spindle.Bench.Scenarios;

namespace Spindle.Bench.Machine;

/// <summary>What a figure depends on.</summary>
public static class MachineFacts
{
    /// <summary>Collects them.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Collect(BenchSettings settings, int pairs)
    {
        string peer = settings.Peer is { } tools ? PeerVersion(tools) : "none";
        return
        [
            new("date", DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mmZ", CultureInfo.InvariantCulture)),
            new("cpu", $"{CpuModel()}, {Environment.ProcessorCount} cores{(IsVirtual() ? ", a virtual machine" : "")}"),
            new("kernel", File.Exists("/proc/sys/kernel/osrelease") ? "Linux " + File.ReadAllText("/proc/sys/kernel/osrelease").Trim() : RuntimeInformation.OSDescription),
            new("memory", $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (double)(1 << 30):0.0} GiB, {HugePages.Reserved()} huge pages reserved"),
            new(".NET", Environment.Version.ToString()),
            new("revision", Git(settings.Root)),
            new("peer", peer),
            new("runs", string.Create(CultureInfo.InvariantCulture, $"{pairs} {(settings.Peer is null ? "runs" : "pairs, alternating")}, {settings.Time} s each after {settings.Warmup} s of warm-up")),
            new("load", LoadAverage()),
        ];
    }

    private static string CpuModel()
    {
        try
        {
            foreach (string line in File.ReadLines("/proc/cpuinfo"))
                if (line.StartsWith("model name", StringComparison.Ordinal)) return line[(line.IndexOf(':') + 1)..].Trim();
        }
        catch (IOException)
        {
        }
        return RuntimeInformation.ProcessArchitecture.ToString();
    }

    private static bool IsVirtual()
    {
        try
        {
            return File.ReadLines("/proc/cpuinfo").Any(line => line.StartsWith("flags", StringComparison.Ordinal) && line.Split(' ').Contains("hypervisor"));
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static string LoadAverage()
    {
        try
        {
            return $"{File.ReadAllText("/proc/loadavg").Split(' ')[0]} before the first run";
        }
        catch (IOException)
        {
            return "unknown";
        }
    }

    private static string PeerVersion(PeerTools tools)
    {
        string file = Path.Combine(tools.Directory, "VERSION");
        return File.Exists(file) ? $"SPDK v{File.ReadAllText(file).Trim()}" : Path.GetFileName(tools.Directory);
    }

    private static string Git(string root)
    {
        try
        {
            using var git = Process.Start(new ProcessStartInfo("git", ["-C", root, "describe", "--always", "--dirty"]) { RedirectStandardOutput = true, RedirectStandardError = true });
            string text = git!.StandardOutput.ReadToEnd().Trim();
            return text.Length > 0 ? text : "unknown";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "unknown";
        }
    }
}
