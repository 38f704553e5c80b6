namespace Spindle.Bench.Contenders;

/// <summary>The programs of an SPDK build tree.</summary>
/// <param name="Directory">The tree.</param>
public sealed record PeerTools(string Directory)
{
    public string Bdevperf => Path.Combine(Directory, "build", "examples", "bdevperf");

    public string Target => Path.Combine(Directory, "build", "bin", "nvmf_tgt");

    public string Client => Path.Combine(Directory, "build", "bin", "spdk_nvme_perf");

    /// <summary>Says what is missing.</summary>
    /// <exception cref="BenchException">The tree is not built.</exception>
    public static PeerTools Open(string directory)
    {
        var tools = new PeerTools(Path.GetFullPath(directory));
        var missing = new[] { tools.Bdevperf, tools.Target, tools.Client }.Where(path => !File.Exists(path)).ToList();
        return missing.Count == 0 ? tools : throw new BenchException(
            $"--peer {directory}: not an SPDK build tree, or not built: there is no {string.Join(", no ", missing)}. Build it with its examples and apps.");
    }

    /// <summary>The memory arguments of its programs: huge pages where enough are free, else ordinary memory.</summary>
    /// <param name="mebibytes">How much.</param>
    public static string[] Memory(int mebibytes) => Machine.HugePages.FreeMebibytes() >= mebibytes
        ? ["-s", $"{mebibytes}"]
        : ["--no-huge", "-s", $"{Math.Max(mebibytes, 1024)}"];
}
