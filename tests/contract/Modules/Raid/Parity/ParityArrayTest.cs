using Spindle.ContractTests.Harness;

namespace Spindle.ContractTests.Modules.Raid.Parity;

/// <summary>A test with arrays that have parity, on disks in memory.</summary>
public abstract class ParityArrayTest(ContractHost host) : BdevTest(host)
{
    protected const uint Block = 512;

    /// <summary>KiB of a strip: 8 blocks.</summary>
    protected const int StripKib = 4;

    protected const int Strip = StripKib * 1024 / (int)Block;

    protected Task<string> CallAsync(string method, string parameters) => Host.Modules.Raid.CallAsync(method, parameters);

    /// <summary>Disks in memory, large enough for a superblock and some stripes.</summary>
    protected async Task<MemoryDisk[]> DisksAsync(int count, int stripes, bool superblock, bool writeCache = false)
    {
        var disks = new MemoryDisk[count];
        for (int i = 0; i < count; i++)
        {
            disks[i] = new MemoryDisk(ContractHost.NewName("member"), Block, (ulong)(stripes * Strip) + (superblock ? (1 << 20) / Block : 0), writeCache);
            await Host.RegisterAsync(disks[i]);
            Track(disks[i].Name);
        }
        return disks;
    }

    /// <summary>Makes an array; its name.</summary>
    protected async Task<string> ArrayAsync(string level, IEnumerable<string> members, bool superblock = false)
    {
        string name = ContractHost.NewName("raid");
        await CallAsync("bdev_raid_create", $$"""
            {"name":"{{name}}","strip_size_kb":{{StripKib}},"raid_level":"{{level}}","base_bdevs":[{{string.Join(',', members.Select(member => $"\"{member}\""))}}],"superblock":{{(superblock ? "true" : "false")}}}
            """);
        Track(name);
        return name;
    }

    /// <summary>What is on a disk, from its data on.</summary>
    protected async Task<byte[]> RawAsync(string disk, int stripes, bool superblock)
    {
        await using var client = await OpenAsync(disk, write: false);
        return await client.ReadBytesAsync(superblock ? (1 << 20) / Block : 0, (ulong)(stripes * Strip));
    }

    /// <summary>Stripes of which the parity on the disks is not that of the data on them; summed here one byte at a time, with the places worked out anew.</summary>
    protected async Task<IReadOnlyList<int>> StripesOutOfStepAsync(string level, string[] disks, int stripes, bool superblock)
    {
        byte[][] raw = new byte[disks.Length][];
        for (int i = 0; i < disks.Length; i++) raw[i] = await RawAsync(disks[i], stripes, superblock);
        return OutOfStep(level, raw, stripes);
    }

    protected static IReadOnlyList<int> OutOfStep(string level, byte[][] raw, int stripes)
    {
        int n = raw.Length, bytes = Strip * (int)Block;
        var wrong = new List<int>();
        for (int stripe = 0; stripe < stripes; stripe++)
        {
            int p = n - 1 - stripe % n, q = level == "raid6" ? (p + 1) % n : -1;
            bool fits = true;
            for (int at = stripe * bytes; at < (stripe + 1) * bytes && fits; at++)
            {
                int sum = 0, weighted = 0;
                for (int i = n - (q < 0 ? 1 : 2) - 1; i >= 0; i--)
                {
                    int slot = q < 0 ? (i < p ? i : i + 1) : (q + 1 + i) % n;
                    sum ^= raw[slot][at];
                    weighted = (weighted << 1 ^ (weighted > 127 ? 0x11D : 0)) ^ raw[slot][at];
                }
                fits = raw[p][at] == sum && (q < 0 || raw[q][at] == weighted);
            }
            if (!fits) wrong.Add(stripe);
        }
        return wrong;
    }
}
