namespace Spindle.ContractTests.Modules.Raid.Parity;

/// <summary>What was written when, so that for each block it can be said what it may hold after a power cut at any time. Writes to one block follow one another.</summary>
internal sealed class CutModel(int blocks)
{
    private readonly List<Written>[] _writes = [.. Enumerable.Range(0, blocks).Select(_ => new List<Written>())];
    private readonly List<(long Begin, long End)> _flushes = [];

    private sealed class Written(byte[] data, long begin)
    {
        public byte[] Data => data;
        public long Begin => begin;
        public long End { get; set; } = long.MaxValue;
    }

    /// <summary>A write begins; call what is returned when it has ended.</summary>
    public Action Write(int block, byte[] data, int blockSize)
    {
        long now = PowerCutDisk.Now;
        var all = new List<Written>();
        lock (_writes)
        {
            for (int i = 0; i < data.Length / blockSize; i++)
            {
                var written = new Written(data[(i * blockSize)..((i + 1) * blockSize)], now);
                all.Add(written);
                _writes[block + i].Add(written);
            }
        }
        return () =>
        {
            long end = PowerCutDisk.Now;
            lock (_writes) all.ForEach(written => written.End = end);
        };
    }

    /// <summary>A flush has ended.</summary>
    public void Flushed(long begin)
    {
        lock (_writes) _flushes.Add((begin, PowerCutDisk.Now));
    }

    /// <summary>Whether a block may hold this after a cut at a time.</summary>
    public bool Allows(int block, ReadOnlySpan<byte> data, long time, bool writeCache)
    {
        lock (_writes)
        {
            // What has ended by then is durable: at once, or with a flush that began later.
            long durable = writeCache ? _flushes.Where(flush => flush.End <= time).Select(flush => flush.Begin).DefaultIfEmpty(-1).Max() : time;
            var writes = _writes[block];
            int last = writes.FindLastIndex(written => written.End <= durable);
            if (last < 0 && data.IndexOfAnyExcept((byte)0) < 0) return true;
            for (int i = Math.Max(last, 0); i < writes.Count && writes[i].Begin <= time; i++)
                if (data.SequenceEqual(writes[i].Data)) return true;
            return false;
        }
    }
}
