namespace Spindle.Host.Environments.Linux.Dma;

/// <summary>What /proc/meminfo says about reserved huge pages.</summary>
internal static class HugePages
{
    private static readonly char[] Separators = [' ', ':'];

    /// <summary>Reserved pages of the default size, and how many of them are free.</summary>
    internal static (long Total, long Free, long SizeKiB) Read()
    {
        long total = 0, free = 0, size = 0;
        try
        {
            foreach (var line in File.ReadLines("/proc/meminfo"))
            {
                var fields = line.Split(Separators, StringSplitOptions.RemoveEmptyEntries);
                if (fields.Length < 2 || !long.TryParse(fields[1], out var value)) continue;
                switch (fields[0])
                {
                    case "HugePages_Total": total = value; break;
                    case "HugePages_Free": free = value; break;
                    case "Hugepagesize": size = value; break;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Without /proc nothing is known, which reads like nothing reserved.
        }
        return (total, free, size);
    }

    /// <summary>Why there is no memory from huge pages.</summary>
    internal static string Describe()
    {
        var (total, free, size) = Read();
        return total == 0 || size != 2048
            ? "No huge pages of 2 MiB are reserved: DMA memory takes ordinary pages. To reserve 1 GiB of them: sysctl -w vm.nr_hugepages=512."
            : $"The reserved huge pages do not suffice ({free} of {total} are free): some DMA memory takes ordinary pages. Reserve more with sysctl -w vm.nr_hugepages=N.";
    }
}
