using Spindle.Bdevs;

namespace Spindle.Bdev.Raid;

/// <summary>One member behind the other, each with whole strips; nothing is redundant. The host splits reads and writes at strips, so that none spans members.</summary>
public sealed class Concat(RaidGeometry geometry) : RaidLevel(geometry)
{
    // The first block of each member, and the one after the last member's last.
    private readonly ulong[] _starts = new ulong[geometry.MemberCount + 1];

    /// <summary>The level.</summary>
    public static RaidLevelType Type { get; } = new("concat", "", 99, LeastMembers: 1, LeastOperational: static slots => slots, HasStrips: true, static geometry => new Concat(geometry));

    /// <inheritdoc/>
    public override uint OptimalIoBoundary => Geometry.MemberCount > 1 ? Geometry.StripBlocks : 0;

    /// <inheritdoc/>
    public override bool Carries(BdevIoType type) => type is BdevIoType.Unmap or BdevIoType.WriteZeroes or BdevIoType.Flush;

    /// <inheritdoc/>
    public override RaidSize SizeOf(ReadOnlySpan<ulong> available)
    {
        ulong[] data = new ulong[available.Length];
        for (int slot = 0; slot < data.Length; slot++)
        {
            data[slot] = available[slot] >> Geometry.StripShift << Geometry.StripShift;
            if (data[slot] == 0) throw new SpindleException(Errno.EINVAL, $"the member in slot {slot} has less than a strip, {Geometry.StripBlocks} blocks, for data.");
            if (data[slot] > ulong.MaxValue - _starts[slot]) throw new SpindleException(Errno.EINVAL, "the members have more than 64 bits of blocks together.");
            _starts[slot + 1] = _starts[slot] + data[slot];
        }
        return new RaidSize(_starts[^1], data);
    }

    /// <inheritdoc/>
    public override RaidIo CreateIo(BdevIo io) => new ConcatIo(_starts, io);

    private sealed class ConcatIo(ulong[] starts, BdevIo io) : MappedIo(starts.Length - 1, io)
    {
        [DataPath]
        protected override int Map(ulong block, out ulong memberBlock)
        {
            int slot = SlotOf(block);
            memberBlock = block - starts[slot];
            return slot;
        }

        [DataPath]
        protected override int PieceCount(ulong first, ulong last) => SlotOf(last) - SlotOf(first) + 1;

        [DataPath]
        protected override int Piece(int piece, ulong first, ulong last, out ulong start, out ulong blocks)
        {
            int slot = SlotOf(first) + piece;
            ulong from = Math.Max(first, starts[slot]);
            start = from - starts[slot];
            blocks = Math.Min(last + 1, starts[slot + 1]) - from;
            return slot;
        }

        [DataPath]
        private int SlotOf(ulong block)
        {
            int slot = 0;
            while (block >= starts[slot + 1]) slot++;
            return slot;
        }
    }
}
